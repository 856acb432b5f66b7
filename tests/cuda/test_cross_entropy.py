"""Cross-entropy bodies, compiled for the host, against the portable code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda import host
from tests.cuda.calls import DTYPES, assert_same, normal, portable, there_and_back
from tests.ops import strategies
from xpconv import ops

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ROUNDING = {"float64": 1e-13, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}


def compare(logits: np.ndarray, labels: np.ndarray, **options: Any) -> None:
    mine = there_and_back(ops.cross_entropy, logits, labels, **options)
    with portable():
        theirs = there_and_back(ops.cross_entropy, logits, labels, **options)
    rounding = ROUNDING[str(logits.dtype)]
    assert_same(mine, theirs, rtol=rounding, atol=rounding)


@same_fixture
@given(
    batch=st.integers(1, 4),
    classes=st.integers(1, 9),
    spatial=st.lists(st.integers(1, 3), max_size=2).map(tuple),
    last=st.booleans(),
    seed=strategies.seeds,
    dtype=st.sampled_from(DTYPES),
    weighted=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.0, 0.1, 1.0]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
)
def test_as_portable(
    batch: int,
    classes: int,
    spatial: tuple[int, ...],
    last: bool,
    seed: int,
    dtype: Any,
    weighted: bool,
    smoothing: float,
    reduction: str,
) -> None:
    logits = normal((batch, classes, *spatial), dtype, seed)
    if last:
        logits = np.moveaxis(np.ascontiguousarray(np.moveaxis(logits, 1, -1)), -1, 1)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size=(batch, *spatial))
    labels[rng.random(labels.shape) < 0.2] = -100
    weight = np.abs(normal((classes,), dtype, seed)) if weighted else None
    options = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    if reduction == "mean" and not (labels >= 0).any():
        return  # NaN, whichever way
    compare(logits, labels, **options)


@pytest.mark.parametrize("classes", [1, 2, 31, 32, 33, 1000, 5000])
def test_many_classes_in_any_order(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = normal((3, classes), "float32") * np.float32(5)
    labels = np.asarray([0, classes - 1, classes // 2])
    compare(logits, labels, label_smoothing=0.1)
    first = there_and_back(ops.cross_entropy, logits, labels, label_smoothing=0.1)
    monkeypatch.setattr(host.Order, "reversed", True)
    assert_same(first, there_and_back(ops.cross_entropy, logits, labels, label_smoothing=0.1))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_what_is_no_number(reduction: str) -> None:
    inf = np.inf
    logits = np.asarray(
        [
            [0, np.nan, 1, 2],
            [-inf, 0, 1, 2],
            [inf, 0, 1, 2],
            [-inf, -inf, -inf, -inf],
            [1e4, -1e4, 0, 3],
            [-inf, -inf, -inf, 5],
        ],
        dtype="float32",
    )
    for label in range(4):
        for smoothing in (0.0, 0.2):
            for ignored in (-100, label):  # NaN comes back from rows that do not count
                options = {"label_smoothing": smoothing, "ignore_index": ignored}
                compare(logits, np.full(6, label), reduction=reduction, **options)


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_labels_without_weight_have_no_mean(smoothing: float) -> None:
    logits, weight = np.asarray([[0.5, 1.0], [2.0, 3.0]]), np.asarray([0.0, 2.0])
    compare(logits, np.asarray([0, 0]), weight=weight, label_smoothing=smoothing)


def test_a_class_without_weight_adds_nothing_even_at_minus_infinity() -> None:
    logits = np.asarray([[0.0, -np.inf, 1.0]])
    weight = np.asarray([1.0, 0.0, 2.0])
    compare(logits, np.asarray([1]), weight=weight, reduction="sum", label_smoothing=0.1)


def test_one_row_without_a_batch_and_nothing_that_counts() -> None:
    compare(normal((5,), "float64"), np.asarray(3))
    compare(normal((3, 5), "float64"), np.full(3, -100))
    compare(normal((0, 5), "float64"), np.zeros(0, dtype="int64"), reduction="sum")
