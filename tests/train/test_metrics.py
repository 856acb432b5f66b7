"""Metrics by hand, and means that are read once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import host
from xpconv import get_backend
from xpconv.train import Means, _metrics, accuracy


@pytest.mark.parametrize(
    ("logits", "target", "expected"),
    [
        ([[2, 1, 0], [0, 3, 1], [1, 0, 0], [0, 0, 1]], [0, 1, 1, 2], 0.75),
        ([[2, 1], [0, 3]], [0, -100], 1.0),
        ([[2, 1], [0, 3]], [-100, -100], 0.0),
        ([2, 5, 1], 1, 1.0),
        ([[[2, 0], [1, 1]]], [[0, 1]], 1.0),  # two positions of one sample
    ],
)
def test_accuracy_of_classes(backend: Any, logits: Any, target: Any, expected: float) -> None:
    value = accuracy(backend.array(logits, "float32"), backend.array(target, "int64"))
    assert float(host(value)) == pytest.approx(expected)


def test_accuracy_of_yes_or_no(backend: Any) -> None:
    logits = backend.array([[2.0, -1.0], [0.0, 0.1]])
    target = backend.array([[1.0, 1.0], [0.0, 1.0]])
    assert float(host(accuracy(logits, target))) == pytest.approx(0.75)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_means_weigh_batches_by_their_size(backend: Any, dtype: str) -> None:
    means = Means()
    means.add({"loss": backend.array(1.0, dtype), "right": backend.array(0.5, dtype)}, 3)
    means.add({"loss": backend.array(5.0, dtype), "right": backend.array(1.0, dtype)}, 1)
    assert means.read() == {"loss": 2.0, "right": 0.625}
    assert means.count == 4


def test_means_of_nothing() -> None:
    assert Means().read() == {}


def test_means_add_up_in_the_widest_dtype() -> None:
    """A sum in float32 would stand still after 2**24 samples."""
    means = Means()
    means.add({"n": np.float32(1.0)}, 2**24)
    means.add({"n": np.float32(1.0)}, 1)
    means.add({"n": np.float32(1.0)}, 1)
    assert means.read() == {"n": 1.0}


def test_means_without_float64() -> None:
    strict = pytest.importorskip("array_api_strict")
    x = strict.asarray(0.5, dtype=strict.float32, device=strict.Device("no_float64"))
    means = Means()
    means.add({"loss": x}, 4)
    assert means.read() == {"loss": 0.5}


def test_means_go_on_from_a_state(backend: Any) -> None:
    one, other = Means(), Means()
    one.add({"loss": backend.array(0.1)}, 3)
    state = {"count": one.count, "sums": {k: host(v) for k, v in one.state_dict()["sums"].items()}}
    other.load_state_dict(state, backend.backend)
    for means in (one, other):
        means.add({"loss": backend.array(0.7)}, 2)
    assert one.read() == other.read()
    assert backend.owns(other.state_dict()["sums"]["loss"])


def test_one_transfer_for_all_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    transfers = []
    monkeypatch.setattr(_metrics, "to_numpy", lambda x: transfers.append(x) or np.asarray(x))
    means = Means()
    for _ in range(5):
        means.add({"a": np.float32(1), "b": np.float32(2), "c": np.float32(3)}, 1)
    means.read()
    assert len(transfers) == 1


def test_names_and_functions() -> None:
    def top(logits: Any, target: Any) -> Any:
        return logits

    assert _metrics.as_metrics(["accuracy", top]) == {"accuracy": accuracy, "top": top}
    assert _metrics.as_metrics("accuracy") == {"accuracy": accuracy}
    assert _metrics.as_metrics(()) == {}


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["precision"], "unknown metric 'precision'; there are 'accuracy'"),
        (["accuracy", "accuracy"], "two metrics of the name 'accuracy'"),
    ],
)
def test_bad_metrics(metrics: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _metrics.as_metrics(metrics)


def test_a_metric_may_not_be_called_loss() -> None:
    def loss(logits: Any, target: Any) -> Any:
        return logits

    with pytest.raises(ValueError, match="two metrics of the name 'loss'"):
        _metrics.as_metrics([loss])


def test_widest_float() -> None:
    backend = get_backend("numpy")
    x = backend.asarray([1.0], dtype="float32")
    assert _metrics.widest_float(backend.xp, x) == np.float64
