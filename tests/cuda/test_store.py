"""Numbers that travel with a launch, compiled for the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda import host
from xpconv import engines

pytestmark = pytest.mark.usefixtures("fused")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "float16"])
@pytest.mark.parametrize("count", [1, 3, 16, 17, 128, 300, 1000])
def test_values_arrive_and_nothing_else(dtype: str, count: int) -> None:
    values = np.random.default_rng(count).integers(-1000, 1000, count).astype(dtype)
    target = np.full(count + 2, 77, dtype)
    store = engines.body("store", target)
    assert store is not None
    store(target[1:-1], values)
    np.testing.assert_array_equal(target, [77, *values, 77])


def test_few_numbers_take_one_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    launches: list[Any] = []
    call = host.RawKernel.__call__

    def watched(self: Any, *args: Any) -> None:
        launches.append(args)
        call(self, *args)

    monkeypatch.setattr(host.RawKernel, "__call__", watched)
    store = engines.body("store", np.empty(0, "float32"))
    store(np.empty(256, "float32"), np.zeros(256, "float32"))
    assert len(launches) == 1
