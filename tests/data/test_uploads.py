"""Batches that are copied ahead, on a stand-in for a device that does its work late."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.data.late_cuda import LateBackend, World
from xpconv import data

Host = tuple[np.ndarray, np.ndarray]


def run(
    world: World, batches: Any, monkeypatch: pytest.MonkeyPatch, dtype: str | None = None
) -> Iterator[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Compute with every batch: what kernels see, when their time comes."""
    monkeypatch.setitem(sys.modules, "cupy", world.cupy())
    for x, y in data.on_backend(batches, LateBackend(world), dtype):  # type: ignore[arg-type]
        world.some_time_passes()
        yield x.computed(), y.computed()
        del x, y
        world.some_time_passes()


def host_batches(count: int = 9, size: int = 4) -> list[Host]:
    rng = np.random.default_rng(count)
    sizes = [size] * (count - 1) + [size - 1]  # the last is smaller
    return [(rng.standard_normal((n, 3)), rng.integers(0, 9, n)) for n in sizes]


def seen(world: World, results: list[Any]) -> list[Host]:
    world.current.synchronize()
    return [(x[0], y[0]) for x, y in results]


def same(one: list[Host], other: list[Host]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, c) and np.array_equal(b, d)
        for (a, b), (c, d) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("dtype", [None, "float32"])
@pytest.mark.parametrize("seed", range(30))
def test_every_order_gives_the_same_batches(
    seed: int, dtype: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(seed)
    expected = [(x.astype(dtype or x.dtype), y) for x, y in host_batches()]

    def reused() -> Iterator[Host]:  # a loader may write the next batch over the last
        for x, y in host_batches():
            given = x.copy(), y.copy()
            yield given
            given[0][:] = given[1][:] = -1

    results = list(run(world, reused(), monkeypatch, dtype))
    assert same(seen(world, results), expected)
    gc.collect()
    assert world.held == 0


def test_the_stand_in_notices_what_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = [World(seed, waits=False) for seed in range(30)]
    runs = [seen(world, list(run(world, host_batches(), monkeypatch))) for world in worlds]
    assert not all(same(run, host_batches()) for run in runs)


def test_two_batches_are_copied_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def source() -> Iterator[Host]:
        for number, batch in enumerate(host_batches()):
            taken.append(number)
            yield batch

    used = run(World(0), source(), monkeypatch)
    next(used)
    assert taken == [0, 1, 2]
    next(used)
    assert taken == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_an_error_comes_after_the_batches_before_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source() -> Iterator[Host]:
        yield from host_batches()[:3]
        raise OSError("the disk is gone")

    world = World(seed)
    used = run(world, source(), monkeypatch)
    results = [next(used) for _ in range(3)]
    with pytest.raises(OSError, match="the disk is gone"):
        next(used)
    assert same(seen(world, results), host_batches()[:3])


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_leaving_in_the_middle_waits_for_the_copies(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they fill is about to be used for something else."""
    world = World(3)
    used = run(world, host_batches(), monkeypatch)
    for _ in range(2):
        next(used)
    with pytest.raises(error):
        used.throw(error)
    used.close()
    gc.collect()
    assert [stream.todo for stream in world.streams[1:]] == [[]]
    assert world.held == 0


def test_other_orders_in_memory_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fortran's order, negative steps and foreign bytes; numbers that are not C-contiguous wait."""
    x = np.arange(12.0).reshape(4, 3)
    batches = [
        (np.asfortranarray(x), np.arange(4)),
        (x[::-1], np.arange(4)[::-1]),
        (x.astype(">f8"), np.arange(4)),
        (np.zeros((0, 3)), np.zeros(0, dtype="int64")),
    ]
    world = World(1)
    results = list(run(world, batches, monkeypatch))
    assert same(seen(world, results), batches)


def test_no_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(run(World(0), [], monkeypatch)) == []
