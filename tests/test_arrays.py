"""What operations ask of their arrays before they compute."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.backends import Library, host
from tests.refusals import refused
from xpconv import _arrays


def test_the_namespace_of_the_arrays(backend: Library) -> None:
    x = backend.array([1.0])
    assert _arrays.namespace(x=x, y=x, z=None) is backend.xp
    with pytest.raises(TypeError, match="x must be an array, got NoneType"):
        _arrays.namespace(x=None)
    with pytest.raises(TypeError, match="y must be an array, got NoneType"):
        _arrays.namespace(("y",), x=x, y=None)


def test_the_host_array_is_the_one_to_move(backend: Library) -> None:
    """Whichever comes first: what waits on a device stays there."""
    if backend.backend.name == "numpy":
        return
    here, there = np.ones(1), backend.array([1.0])
    for arrays in ({"x": here, "weight": there}, {"weight": there, "x": here}):
        with refused("x is a numpy array", "backend_of(weight).asarray(x)", error=TypeError):
            _arrays.namespace(**arrays)


def test_dtypes_are_compared_by_name(backend: Library) -> None:
    one, two = backend.array([1.0], "float32"), backend.array([1.0], "float64")
    assert _arrays.same_dtype(x=one, weight=None, bias=one) == one.dtype
    with refused("x is", "float32", "weight is", "float64", error=TypeError):
        _arrays.same_dtype(x=one, weight=two)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64", "bool"])
def test_what_is_floating(backend: Library, dtype: str) -> None:
    array = backend.array([1], dtype)
    floating = dtype in ("float32", "float64", "complex128")
    assert _arrays.is_floating(array) is floating


def test_half_precision_of_torch_is_floating(torch) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert _arrays.is_floating(torch.ones(2, dtype=dtype))


@pytest.mark.parametrize(("dtype", "floating"), [("bfloat16", True), ("int4", False)])
def test_dtypes_that_the_library_does_not_know(dtype: str, floating: bool) -> None:
    """As NumPy with the dtypes of ml_dtypes: only the name tells the kind."""
    assert _arrays.is_floating(SimpleNamespace(dtype=dtype)) is floating


@pytest.mark.parametrize("writeable", [True, False])
def test_writing(backend: Library, monkeypatch, writeable: bool) -> None:
    """In place where the library allows it, else by a new array: the result is the same."""
    if not writeable:
        monkeypatch.setattr(_arrays, "is_writeable_array", lambda x: False)
    xp = backend.xp
    target = xp.zeros((2, 3), dtype=xp.float64, device=backend.device)
    target = _arrays.put(target, (slice(None), 1), backend.array([5.0, 6.0]))
    target = _arrays.add_at(target, (0, ...), backend.array([1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(host(target), [[1, 6, 1], [0, 6, 0]])


def test_clipping_and_signs(backend: Library) -> None:
    values = np.asarray([-np.inf, -2.0, -0.0, 0.0, 3.0, np.inf, np.nan], dtype="float32")
    x, xp = backend.array(values), backend.xp
    backend.assert_equal(_arrays.clip(xp, x, -1.0, 2.5), np.clip(values, -1.0, 2.5))
    backend.assert_equal(_arrays.clip(xp, x, high=0.0), np.minimum(values, np.float32(0)))
    whole = backend.array([-3, 0, 7])
    backend.assert_equal(_arrays.clip(xp, whole, 0, 5), np.asarray([0, 0, 5]))
    real, turned = x[:-1], backend.array([3 + 4j, 0, -2])
    backend.assert_equal(_arrays.sign(xp, real), np.sign(values[:-1]))
    with np.errstate(all="ignore"):  # of 0 NumPy says what it divides by
        backend.assert_close(_arrays.sign(xp, turned), np.asarray([0.6 + 0.8j, 0, -1]))


def test_nobody_clips_or_takes_signs_through_the_namespace() -> None:
    """CuPy's compatible namespace waits for the device there."""
    ops = Path(_arrays.__file__).parent / "ops"
    for path in ops.glob("*.py"):
        assert "xp.clip(" not in path.read_text(encoding="utf-8"), path.name


def test_the_largest_numbers(backend: Library) -> None:
    for dtype in ("float32", "float64"):
        own = getattr(backend.xp, dtype)
        assert _arrays.largest(backend.xp, own) == float(np.finfo(dtype).max)
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    assert _arrays.largest(backend.xp, np.dtype(bfloat16)) == float(
        pytest.importorskip("ml_dtypes").finfo(bfloat16).max
    )
