"""Winograd's filtering is chosen on CuPy by an estimate, and where it is allowed to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

import xpconv
from tests.engines.test_engines import problem_of
from xpconv import engines
from xpconv.engines import _winograd_on_gpu, winograd
from xpconv.engines._cuda import _blas_library


def layer(channels: int, outs: int, size: int, batch: int = 64, **options) -> engines.Problem:
    """A 3x3 layer on CuPy, in float32."""
    problem = problem_of(n_in=channels, n_out=outs, size=(size, size))
    given = {"batch": batch, "dtype": "float32", "library": "cupy", **options}
    return dataclasses.replace(problem, **given)


WIDE = layer(64, 64, 56)


@pytest.fixture(autouse=True)
def products(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """cuBLASLt can be called, nobody does, and cuDNN is not installed."""
    monkeypatch.setattr(_blas_library, "_find", object)
    monkeypatch.setattr(engines.cudnn, "refusal", lambda problem: "it is not installed")
    monkeypatch.delenv("CUPY_TF32", raising=False)
    engines._select._select.cache_clear()
    yield
    engines._select._select.cache_clear()


@pytest.mark.parametrize("task", engines.TASKS)
@pytest.mark.parametrize("sizes", [(64, 64, 56), (128, 128, 28), (256, 256, 14), (512, 512, 7)])
def test_the_layers_of_a_resnet(task: str, sizes: tuple[int, int, int]) -> None:
    assert winograd.drawback(layer(*sizes), task) is None
    assert engines.select(layer(*sizes), task) is winograd


@pytest.mark.parametrize(
    "problem",
    [layer(3, 64, 224), layer(64, 64, 56, batch=1), layer(4, 6, 7), layer(512, 512, 7, batch=1)],
    ids=str,
)
def test_little_to_gain(problem: engines.Problem) -> None:
    assert "by estimate" in str(winograd.drawback(problem, "forward"))
    assert engines.select(problem) is engines.im2col


def test_the_estimate_by_hand() -> None:
    """A layer of one channel, one output channel and one tile of 4 x 4 in 8 x 8 images."""
    by_definition, filtered = _winograd_on_gpu.seconds(layer(1, 1, 8, batch=1), "forward")
    assert by_definition == pytest.approx(64 * 9 / 27.5e12 + 64 * 20 / 1.075e12)
    numbers = 2 * (64 + 2 * 36 * 4) + (9 + 2 * 36)
    assert filtered == pytest.approx(36 * 4 / 27.5e12 + numbers / 1.075e12)
    forward = _winograd_on_gpu.seconds(layer(8, 32, 20), "forward")
    assert _winograd_on_gpu.seconds(layer(32, 8, 20), "input_grad") == forward


def test_only_strict_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    with xpconv.tf32():
        assert "in TF32" in str(winograd.drawback(WIDE, "forward"))
        assert engines.select(WIDE) is engines.im2col
        with xpconv.tf32(False):
            assert engines.select(WIDE) is winograd
    assert engines.select(WIDE) is winograd
    monkeypatch.setenv("CUPY_TF32", "1")
    assert engines.select(WIDE) is engines.im2col
    for dtype in ("float64", "float16", "bfloat16"):
        assert engines.select(dataclasses.replace(WIDE, dtype=dtype)) is engines.im2col


@pytest.mark.parametrize("name", ["XPCONV_CUDA_BLAS", "XPCONV_CUDA_KERNELS"])
def test_switches(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with xpconv.engine("exact"):
        assert engines.select(WIDE) is engines.im2col
    monkeypatch.setenv(name, "0")
    assert "switched off" in str(winograd.drawback(WIDE, "forward"))
    engines._select._select.cache_clear()
    assert engines.select(WIDE) is engines.im2col
