"""Optimiser bodies, compiled for the host: to the last bit what the portable rules answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda import host
from tests.cuda.calls import DTYPES, assert_same, normal, portable
from tests.test_optim import IDS, VARIANTS, Bag
from xpconv import get_backend, optim
from xpconv._late import Late, Table
from xpconv.optim._counts import LateCounts

pytestmark = pytest.mark.usefixtures("fused")
SHAPES = [(4, 3, 3, 3), (4,), (), (1030, 5), (7, 2, 5), (0, 3)]


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is launched, in order."""
    seen: list[Any] = []
    call = host.RawKernel.__call__

    def watched(self: Any, *args: Any) -> None:
        seen.append(args)
        call(self, *args)

    monkeypatch.setattr(host.RawKernel, "__call__", watched)
    return seen


def arrays(seed: int, dtype: Any, shapes: list[tuple[int, ...]] = SHAPES) -> dict[str, np.ndarray]:
    return {f"p{k}": np.asarray(normal(s, dtype, seed + k)) for k, s in enumerate(shapes)}


def trained(kind: str, settings: dict[str, Any], dtype: Any, gradients: list[Any]) -> list[Any]:
    model, optimizer = Bag(**arrays(1, dtype)), getattr(optim, kind)(**settings)
    for step, grads in enumerate(gradients):
        optimizer.step(model, grads, lr=0.1 if step == 1 else None)
    slots = [list(slots.values()) for slots in optimizer.state_dict()["slots"].values()]
    return [*model.parameters().values(), *(slot for several in slots for slot in several)]


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_portable(kind: str, settings: dict[str, Any], dtype: str, launches: list[Any]) -> None:
    gradients = [arrays(10 * k, dtype) for k in range(2, 5)]
    # A convolution's gradient comes in channels-last memory, another one with gaps.
    for grads in gradients:
        grads["p0"] = np.moveaxis(np.ascontiguousarray(np.moveaxis(grads["p0"], 1, -1)), -1, 1)
        grads["p3"] = np.repeat(grads["p3"], 2, axis=1)[:, ::2]
    mine = trained(kind, settings, dtype, gradients)
    assert len(launches) == 3
    with portable():
        theirs = trained(kind, settings, dtype, gradients)
    assert_same(mine, theirs)


@pytest.mark.parametrize("dtype", DTYPES[2:])
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_half_precision_is_rounded_once(kind: str, dtype: Any) -> None:
    model, wide = Bag(**arrays(1, dtype)), Bag()
    wide.arrays = {name: x.astype("float32") for name, x in model.arrays.items()}
    grads = arrays(5, dtype)
    getattr(optim, kind)(lr=0.1, weight_decay=0.1).step(model, grads)
    with portable():
        grads = {name: x.astype("float32") for name, x in grads.items()}
        getattr(optim, kind)(lr=0.1, weight_decay=0.1).step(wide, grads)
    rounded = [x.astype(dtype) for x in wide.arrays.values()]
    assert_same(list(model.arrays.values()), rounded)


def test_one_launch_for_many_parameters(launches: list[Any]) -> None:
    shapes = [(k + 1, 3) for k in range(100)]
    model, grads = Bag(**arrays(1, "float32", shapes)), arrays(2, "float32", shapes)
    before = model.parameters()
    optim.SGD(lr=0.5).step(model, grads)
    assert len(launches) == 3  # 48 parameters to a launch
    for name, new in model.parameters().items():
        np.testing.assert_array_equal(new, before[name] - np.float32(0.5) * grads[name])


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_steps_that_only_the_device_knows_to_be_skipped(
    kind: str, settings: dict[str, Any]
) -> None:
    def run() -> list[Any]:
        model, optimizer = Bag(**arrays(1, "float32")), getattr(optim, kind)(**settings)
        for k, skipped in enumerate([True, False, True, False]):
            grads = arrays(20 * k, "float32")
            if skipped:
                grads["p0"][0, 0] = np.inf
            optimizer.step(model, grads, found_inf=np.asarray(skipped))
        slots = optimizer.state_dict()["slots"].values()
        return [*model.parameters().values(), *(slot for some in slots for slot in some.values())]

    mine = run()
    with portable(), np.errstate(all="ignore"):
        theirs = run()
    assert_same(mine, theirs)


def test_nothing_is_written_in_place() -> None:
    model, grads = Bag(**arrays(1, "float32")), arrays(2, "float32")
    optimizer = optim.AdamW()
    optimizer.step(model, grads)
    held = {**model.parameters(), **{k: v["exp_avg"] for k, v in optimizer._slots.items()}}
    copies = {name: array.copy() for name, array in held.items()}
    optimizer.step(model, grads)
    for name, array in held.items():
        np.testing.assert_array_equal(array, copies[name])


def test_different_steps_and_own_rules_take_the_portable_way(launches: list[Any]) -> None:
    class Signs(optim.SGD):
        def update(self, parameter, gradient, slots, step, lr):  # type: ignore[no-untyped-def]
            return parameter - lr * np.sign(gradient), {}

    model, grads = Bag(**arrays(1, "float32")), arrays(2, "float32")
    Signs(lr=0.5).step(model, grads)
    optimizer = optim.Adam()
    optimizer.step(model, {"p0": grads["p0"]})
    assert len(launches) == 1
    optimizer.step(model, grads)
    assert len(launches) == 1


@pytest.mark.parametrize("skipped", [None, False, True])
@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_steps_that_are_captured(
    kind: str, settings: dict[str, Any], skipped: bool | None, launches: list[Any]
) -> None:
    """Numbers that come late, and arrays that are written over, give the same bits."""
    found_inf = None if skipped is None else np.asarray(skipped)
    table = Table(get_backend("numpy"), lambda target, values: np.copyto(target, values))

    def begun() -> tuple[Any, Any]:
        model, optimizer = Bag(**arrays(1, "float32")), getattr(optim, kind)(**settings)
        optimizer.step(model, arrays(2, "float32"), found_inf=found_inf)
        return model, optimizer

    def step(model: Any, optimizer: Any, lr: Any) -> list[Any]:
        if isinstance(lr, Late) and found_inf is None:
            counts = LateCounts()
            counts.take_over(optimizer._steps)
            optimizer._steps = counts
        optimizer.step(model, arrays(3, "float32"), lr=lr, found_inf=found_inf)
        slots = optimizer._slots.values()
        return [*model.parameters().values(), *(slot for kept in slots for slot in kept.values())]

    expected = step(*begun(), 0.1)
    with table.in_force(recording=False):
        assert_same(step(*begun(), Late(lambda: 0.1)), expected)
    model, optimizer = begun()
    before = list(model.parameters().values())
    launches.clear()
    with table.in_force(recording=True):
        made = step(model, optimizer, Late(lambda: 0.1))
    assert_same(made, expected)
    if launches:  # not by the portable way, for which only the device knows a first step
        assert all(new is old for new, old in zip(model.parameters().values(), before))
    assert bool(launches) is not (settings.get("dampening", 0) != 0 and skipped is not None)
