"""Arrays whose indices need 64 bits: the same bodies with the wider type, on small ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.cuda import host
from tests.cuda.calls import assert_same, normal, there_and_back
from xpconv import engines, ops
from xpconv.engines._cuda import _launch

pytestmark = pytest.mark.usefixtures("fused")

X = np.moveaxis(normal((2, 9, 8, 4), "float32"), -1, 1)
WEIGHT = normal((6, 4, 3, 3), "float32")


def convolved(engine: str, **options: Any) -> list[Any]:
    with engines.engine(engine):
        return there_and_back(ops.conv2d, X, WEIGHT, **options)


CALLS: dict[str, Callable[[], list[Any]]] = {
    "im2col": lambda: convolved("im2col", padding=1, stride=2),
    "winograd": lambda: convolved("winograd", padding=1),
    "max_pool": lambda: there_and_back(ops.max_pool2d, X, 3, 2, 1, return_indices=True),
    "avg_pool": lambda: there_and_back(ops.avg_pool2d, X, 3, 2, 1),
    "batch_norm": lambda: there_and_back(ops.batch_norm, X, None, None, training=True),
    "relu": lambda: there_and_back(ops.relu, X),
    "cross_entropy": lambda: there_and_back(
        ops.cross_entropy, normal((5, 7), "float32"), np.arange(5), label_smoothing=0.1
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_wider_indices_change_nothing(
    call: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    compiled = host.RawModule.get_function

    def noted(self: Any, name: str) -> Any:
        names.append(name)
        return compiled(self, name)

    monkeypatch.setattr(host.RawModule, "get_function", noted)
    narrow = call()
    assert names
    assert all(", int>" in name for name in names)
    names.clear()
    monkeypatch.setattr(_launch, "_INDEX_LIMIT", 1)
    assert_same(call(), narrow)
    assert names
    assert all(", int64>" in name for name in names)
