"""`correlate2d` and `convolve2d`: the chapter's operations under their own names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference
from tests.backends import Library, host
from tests.ops.strategies import seeds
from tests.refusals import refused
from xpconv import ops

ORACLES = {
    ("correlate2d", "valid"): reference.cross_correlate,
    ("correlate2d", "full"): reference.full_cross_correlate,
    ("convolve2d", "valid"): reference.convolve,
    ("convolve2d", "full"): reference.full_convolve,
}
BOTH = pytest.mark.parametrize("name", ["correlate2d", "convolve2d"])
MODES = pytest.mark.parametrize("mode", ["valid", "same", "full"])


def test_the_worked_example(backend: Library) -> None:
    x = backend.array([[1, 6, 2], [5, 3, 1], [7, 0, 4]], "float64")
    kernel = backend.array([[1, 2], [-1, 0]], "float64")
    backend.assert_equal(ops.correlate2d(x, kernel), np.array([[8.0, 7], [4, 5]]))
    backend.assert_equal(ops.convolve2d(x, kernel), np.array([[7.0, 5], [11, 3]]))
    backend.assert_equal(
        ops.correlate2d(x, kernel, mode="full"),
        np.array([[0.0, -1, -6, -2], [2, 8, 7, 1], [10, 4, 5, -3], [14, 7, 8, 4]]),
    )


@pytest.mark.parametrize(("name", "mode"), ORACLES)
def test_against_the_loops(backend: Library, rng, name: str, mode: str) -> None:
    x, kernel = rng.normal(size=(6, 5)), rng.normal(size=(2, 3))
    y = getattr(ops, name)(backend.array(x), backend.array(kernel), mode=mode)
    backend.assert_close(y, ORACLES[name, mode](x, kernel))


def test_convolution_is_correlation_with_the_kernel_rotated(backend: Library, rng) -> None:
    x, kernel = rng.normal(size=(6, 5)), rng.normal(size=(2, 3))
    backend.assert_close(
        ops.convolve2d(backend.array(x), backend.array(kernel)),
        np.asarray(reference.cross_correlate(x, reference.rotate(kernel))),
    )


def test_the_chapters_input_gradient_is_a_full_convolution(backend: Library, rng) -> None:
    x, kernel = backend.array(rng.normal(size=(6, 5))), backend.array(rng.normal(size=(2, 3)))
    _, pullback = ops.vjp(ops.correlate2d, x, kernel)
    dy = backend.array(rng.normal(size=(5, 3)))
    dx, dkernel = pullback(dy)
    backend.assert_close(dx, ops.convolve2d(dy, kernel, mode="full"))
    backend.assert_close(dkernel, ops.correlate2d(x, dy))


@BOTH
@MODES
@given(data=st.data(), seed=seeds)
def test_as_scipy(backend: Library, name: str, mode: str, data, seed: int) -> None:
    signal = pytest.importorskip("scipy.signal")
    kernel_size = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    extra = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    size = tuple(k + e for k, e in zip(kernel_size, extra, strict=True))
    rng = np.random.default_rng(seed)
    x, kernel = rng.normal(size=size), rng.normal(size=kernel_size)
    y = getattr(ops, name)(backend.array(x), backend.array(kernel), mode=mode)
    backend.assert_close(y, getattr(signal, name)(x, kernel, mode=mode))


@BOTH
@MODES
def test_leading_axes_are_a_batch(backend: Library, rng, name: str, mode: str) -> None:
    x, kernel = rng.normal(size=(2, 3, 5, 4)), rng.normal(size=(3, 2))
    operation = getattr(ops, name)
    y = operation(backend.array(x), backend.array(kernel), mode=mode)
    for i, j in np.ndindex(2, 3):
        one = operation(backend.array(x[i, j]), backend.array(kernel), mode=mode)
        backend.assert_close(y[i, j, ...], one)


@BOTH
@pytest.mark.parametrize("mode", ["same", "full"])
def test_a_kernel_may_be_larger_than_the_image(backend: Library, rng, name, mode) -> None:
    signal = pytest.importorskip("scipy.signal")
    x, kernel = rng.normal(size=(2, 3)), rng.normal(size=(4, 5))
    y = getattr(ops, name)(backend.array(x), backend.array(kernel), mode=mode)
    backend.assert_close(y, getattr(signal, name)(x, kernel, mode=mode))


@BOTH
def test_refusals(backend: Library, name: str) -> None:
    operation = getattr(ops, name)
    x, kernel = backend.array(np.ones((4, 5))), backend.array(np.ones((2, 2)))
    with refused("mode", "'valid'", "'same'", "'full'", "'circular'"):
        operation(x, kernel, mode="circular")
    with pytest.raises(ValueError, match=r"kernel.*\(1, 2, 2\)"):
        operation(x, kernel[None, ...])
    with pytest.raises(ValueError, match=r"x.*\(4,\)"):
        operation(backend.array(np.ones(4)), kernel)
    with pytest.raises(ValueError, match="5"):
        operation(x, backend.array(np.ones((5, 2))))
    with refused("kernel", "float64", "float32", error=TypeError):
        operation(x, backend.array(np.ones((2, 2)), "float32"))
    with refused("bool", error=TypeError):
        operation(backend.array(np.ones((4, 5)), "bool"), backend.array(np.ones((2, 2)), "bool"))


@BOTH
@MODES
def test_complex(backend: Library, rng, name: str, mode: str) -> None:
    """The sums of the definition, without a conjugate: bilinear in both."""
    x, kernel = (rng.normal(size=(2, *size)) for size in ((5, 4), (2, 3)))
    operation = getattr(ops, name)
    y, pullback = ops.vjp(operation, *(backend.array(a[0] + 1j * a[1]) for a in (x, kernel)), mode)
    real = operation(x[0], kernel[0], mode) - operation(x[1], kernel[1], mode)
    imaginary = operation(x[0], kernel[1], mode) + operation(x[1], kernel[0], mode)
    backend.assert_close(y, real + 1j * imaginary)
    dx, dkernel = pullback(y)
    assert host(dx).dtype == host(dkernel).dtype == "complex128"
    for gradient, array in ((dx, x), (dkernel, kernel)):  # <y, y> = <dx, x> = <dkernel, kernel>
        product = np.vdot(host(gradient), array[0] + 1j * array[1])
        np.testing.assert_allclose(product, np.vdot(host(y), host(y)), rtol=1e-12)


@BOTH
def test_integers_have_no_gradient(backend: Library, name: str) -> None:
    x, kernel = backend.array(np.ones((4, 5)), "int64"), backend.array(np.ones((2, 2)), "int64")
    y, pullback = ops.vjp(getattr(ops, name), x, kernel)
    backend.assert_equal(y, np.full((3, 4), 4))
    assert pullback(y) == (None, None)


@BOTH
def test_no_planes(backend: Library, name: str) -> None:
    x, kernel = backend.array(np.ones((0, 2, 4, 5))), backend.array(np.ones((2, 2)))
    y, pullback = ops.vjp(getattr(ops, name), x, kernel)
    assert y.shape == (0, 2, 3, 4)
    dx, dkernel = pullback(y)
    assert dx.shape == (0, 2, 4, 5)
    backend.assert_equal(dkernel, np.zeros((2, 2)))
