"""Compiled optimisers: to the last bit what the portable rules answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.engines.test_direct import NEEDED
from tests.test_optim import IDS, VARIANTS, Bag
from xpconv import engines, optim

# what NumPy does sooner, what one thread does, what several share; none; one number; no axes
SHAPES = [(4, 3, 3, 3), (5000,), (70_000,), (0, 3), (1,), ()]


def arrays(dtype: str, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    drawn = {f"p{k}": np.asarray(rng.normal(size=s), dtype) for k, s in enumerate(SHAPES)}
    drawn["p1"][seed % 7] = (np.inf, np.nan, -np.inf)[seed % 3]
    return drawn


def trained(kind: str, settings: dict[str, Any], dtype: str, skip: bool) -> list[Any]:
    model, optimizer = Bag(**arrays(dtype, 1)), getattr(optim, kind)(**settings)
    for step in range(3):
        grads = arrays(dtype, 10 + step)
        grads["p0"] = np.moveaxis(np.ascontiguousarray(np.moveaxis(grads["p0"], 1, -1)), -1, 1)
        found_inf = {"found_inf": np.asarray(step == 1)} if skip else {}
        optimizer.step(model, grads, **found_inf)
    slots = [list(slots.values()) for slots in optimizer.state_dict()["slots"].values()]
    return [*model.parameters().values(), *(slot for several in slots for slot in several)]


@NEEDED
@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("skip", [False, True])
def test_as_portable(
    kind: str, settings: dict[str, Any], dtype: str, skip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = trained(kind, settings, dtype, skip)
    for module in (optim._sgd, optim._adam):
        monkeypatch.setattr(module, "body", lambda *_: None)
    with np.errstate(all="ignore"):
        theirs = trained(kind, settings, dtype, skip)
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs):
        assert one.dtype == other.dtype == dtype
        assert one.shape == other.shape
        np.testing.assert_array_equal(one, other)


@NEEDED
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_there_is_a_body(name: str) -> None:
    assert engines.body(name, np.zeros(1)) is not None
