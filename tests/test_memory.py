"""When memory runs out: which layer, how much, and what would fit. What a pool keeps goes back."""

from __future__ import annotations

import gc
import sys
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from xpconv import _libraries, engines, nn, ops
from xpconv._memory import OutOfMemory, in_words
from xpconv.engines import im2col


def fails(*args: Any) -> Any:
    raise MemoryError("Out of memory allocating 1,024 bytes")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A device with some free bytes, where one of the engine's tasks finds no memory."""

    def fill(task: str, free: int | None) -> None:
        monkeypatch.setattr(im2col, task, fails)
        monkeypatch.setattr("xpconv.engines._out_of_memory.available", lambda *_: free)

    return fill


def arrays(batch: int = 8) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((batch, 4, 10, 10), dtype="float32"), np.ones((6, 4, 3, 3), dtype="float32")


def test_a_convolution_says_what_it_takes_and_which_batch_fits(full: Any) -> None:
    full("forward", 120_000)
    # Columns: 8 * 64 rows of 36 numbers; the result of one image: 6 * 64 numbers.
    taken = 4 * (8 * 64 * 36 + 8 * 6 * 64)
    with pytest.raises(MemoryError) as caught, engines.engine("im2col"):
        ops.conv2d(*arrays())
    for words in (
        "forward of 3x3 4>6, 10x10, batch 8",
        in_words(taken),
        f"{in_words(4 * 8 * 64 * 36)} of them as workspace",
        "117.2 KiB are free",
        "a batch of 7 would fit here",
        "(Out of memory allocating 1,024 bytes)",
    ):
        assert words in str(caught.value)
    full("forward", 80_000)
    with pytest.raises(MemoryError, match="a batch of 4 would fit"), engines.engine("im2col"):
        ops.conv2d(*arrays())


@pytest.mark.parametrize("free", [0, 10_000])
def test_where_no_batch_fits_there_is_other_advice(full: Any, free: int) -> None:
    full("forward", free)
    with pytest.raises(MemoryError, match="bound the workspace"), engines.engine("im2col"):
        ops.conv2d(*arrays())


def test_memory_that_nobody_tells_of(full: Any) -> None:
    full("forward", None)
    with pytest.raises(MemoryError) as caught, engines.engine("im2col"):
        ops.conv2d(*arrays())
    assert "free" not in str(caught.value)


@pytest.mark.parametrize("task", ["input_grad", "weight_grad"])
def test_the_way_back_says_so_too(full: Any, task: str) -> None:
    with engines.engine("im2col"):
        y, back = ops.vjp(ops.conv2d, *arrays())
        full(task, 10**6)
        with pytest.raises(MemoryError, match=f"in the {task.replace('_', ' ')} of 3x3 4>6"):
            back(y)


class Block(nn.Module):
    def __init__(self) -> None:
        self.inner = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 6, 3))

    def forward(self, x: Any, training: bool = False) -> Any:
        return self.inner.forward(x, training=training)


@pytest.mark.parametrize("way", ["forward", "infer", "backward"])
def test_the_layer_is_named(full: Any, way: str) -> None:
    model = nn.Sequential(nn.ReLU(), Block()).to("numpy")
    x = arrays()[0]
    with engines.engine("im2col"):
        if way == "backward":
            y, back = model.forward(x, training=True)
            full("weight_grad", None)
            work, argument = back, y
        else:
            full("forward", None)
            work, argument = (model.forward if way == "forward" else model), x
        with pytest.raises(OutOfMemory) as caught:
            work(argument)
    assert str(caught.value).startswith("layer '1.inner.1' (Conv2d): out of memory in the ")


@pytest.mark.parametrize(
    ("batch", "free", "advice"),
    [
        (8, 4096, "4.0 KiB are free; a batch of 4 would fit here"),
        (8, 9000, "8.8 KiB are free; a batch of 7 would fit here"),  # enough, but not in one piece
        (8, 100, "100 bytes are free; free some, or use smaller batches"),
        (8, None, "in all)."),
    ],
)
def test_other_layers_say_what_fits(
    backend: Library, batch: int, free: int | None, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hungry(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            return x, self.refuse

        def refuse(self, dy: Any) -> Any:  # CuPy's own words
            raise MemoryError("Out of memory allocating 8,192 bytes (allocated so far: 7 in all).")

        def infer(self, x: Any) -> Any:
            return self.refuse(x)

    monkeypatch.setattr("xpconv.nn._observe.available", lambda *_: free)
    model, x = (
        nn.Sequential(nn.ReLU(), Hungry()).to(backend.backend),
        backend.array(np.ones((batch, 2))),
    )
    _, back = model.forward(x)
    for work in (model, back):
        with pytest.raises(OutOfMemory, match=r"^layer '1' \(Hungry\): .* 8,192 ") as caught:
            work(x)
        assert str(caught.value).endswith(advice)


def test_what_a_failed_pass_held_goes_at_once() -> None:
    """A device that is full does not run Python's collector, and the next try needs the memory."""
    held: list[Any] = []

    class Hungry(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            y = x + 1
            held.append(weakref.ref(y))
            raise MemoryError

    model = nn.Sequential(nn.ReLU(), nn.Sequential(Hungry()))
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(MemoryError, match="out of memory"):
            model.forward(np.ones((2, 2)), training=True)
        assert held[0]() is None
    finally:
        gc.enable()


def test_any_operation_may_find_no_memory() -> None:
    class Hungry(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            raise MemoryError

    with pytest.raises(MemoryError, match=r"^Hungry: out of memory$"):
        Hungry()(arrays()[0])
    with pytest.raises(MemoryError, match=r"^layer '0' \(Hungry\): out of memory$"):
        nn.Sequential(Hungry())(arrays()[0])


def test_bytes_in_words() -> None:
    assert [in_words(n) for n in (0, 1023, 1536, 3 * 2**30)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "3.0 GiB",
    ]


def test_memory_that_is_kept_goes_back(backend: Library) -> None:
    assert backend.backend.release_memory() is None


def test_a_pool_gives_back_what_it_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Device:
        def __enter__(self) -> None:
            done.append("enter")

        def __exit__(self, *_: Any) -> None:
            done.append("exit")

    def pool(name: str) -> Any:
        return SimpleNamespace(free_all_blocks=lambda: done.append(name), free_bytes=lambda: 5)

    cupy = SimpleNamespace(
        get_default_memory_pool=lambda: pool("device"),
        get_default_pinned_memory_pool=lambda: pool("pinned"),
        cuda=SimpleNamespace(runtime=SimpleNamespace(memGetInfo=lambda: (10, 30))),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    _libraries.release_memory("cupy", Device())
    assert done == ["enter", "device", "pinned", "exit"]
    assert _libraries.available("cupy", Device()) == 15
