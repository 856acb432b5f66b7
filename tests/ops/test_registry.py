"""What holds for every differentiable operation, tested once through the registry."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.ops.samples import SAMPLES, Sample
from tests.refusals import refused
from xpconv import ops

every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def operations() -> dict[str, object]:
    return {operation.__name__: operation for operation in ops.registered()}


def called(backend: Library, sample: Sample, dtype: str = "float64", layout: str = "C"):
    """The sample's arrays in the given library, dtype and layout; labels stay integers."""
    return [
        None
        if array is None
        else backend.array(array, array.dtype if array.dtype.kind == "i" else dtype, layout)
        for array in sample.arrays()
    ]


def vjp(backend: Library, sample: Sample, *args, **kwargs):
    arrays = called(backend, sample, *args, **kwargs)
    return ops.vjp(
        getattr(ops, sample.operation), *sample.positional(arrays), **sample.keywords(arrays)
    )


def cotangent(backend: Library, y, seed: int = 0, layout: str = "C"):
    values = np.random.default_rng(seed).normal(size=y.shape)
    return backend.array(values, dtype_name(y), layout)


def test_every_operation_has_samples() -> None:
    assert set(operations()) == {sample.operation for sample in SAMPLES}


def test_every_operation_is_public() -> None:
    for name, operation in operations().items():
        assert getattr(ops, name) is operation
        assert name in ops.__all__


@every_sample
def test_gradients_along_random_directions(backend: Library, sample: Sample) -> None:
    operation = getattr(ops, sample.operation)
    arrays = called(backend, sample)
    y, pullback = ops.vjp(operation, *sample.positional(arrays), **sample.keywords(arrays))
    dy = cotangent(backend, y)
    gradients = pullback(dy)
    rng = np.random.default_rng(1)
    step = 1e-6
    for place, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        if array is None or dtype_name(array) != "float64":
            assert gradient is None
        if gradient is None:
            assert place not in sample.wanted
            continue
        assert backend.owns(gradient)
        assert gradient.shape == array.shape
        direction = rng.normal(size=array.shape)
        moved = []
        for sign in (1, -1):
            there = list(arrays)
            there[place] = backend.array(host(array) + sign * step * direction)
            moved.append(host(operation(*sample.positional(there), **sample.keywords(there))))
        by_differences = np.sum(host(dy) * (moved[0] - moved[1])) / (2 * step)
        by_gradient = np.sum(host(gradient) * direction)
        scale = np.sum(np.abs(host(gradient) * direction)) + np.sum(np.abs(host(dy) * host(y)))
        np.testing.assert_allclose(by_gradient, by_differences, rtol=0, atol=1e-8 * (scale + 1))


@every_sample
def test_vjp_is_pure_and_linear(backend: Library, sample: Sample) -> None:
    y, pullback = vjp(backend, sample)
    arrays = called(backend, sample)
    operation = getattr(ops, sample.operation)
    backend.assert_equal(y, operation(*sample.positional(arrays), **sample.keywords(arrays)))
    first, second = cotangent(backend, y, 1), cotangent(backend, y, 2)
    copies = host(first).copy(), host(y).copy()
    once = pullback(first)
    mixed = pullback(2 * first - 3 * second)
    other = pullback(second)
    twice = pullback(first)
    backend.assert_equal(first, copies[0])
    backend.assert_equal(y, copies[1])
    assert len(once) == len(twice)
    for a, b, c, d in zip(once, twice, other, mixed, strict=True):
        if a is None:
            assert b is None
            continue
        backend.assert_equal(a, b)
        backend.assert_close(d, 2 * host(a) - 3 * host(c), rtol=1e-11)


@every_sample
def test_inputs_are_not_written_to(backend: Library, sample: Sample) -> None:
    arrays = called(backend, sample)
    y, pullback = ops.vjp(
        getattr(ops, sample.operation), *sample.positional(arrays), **sample.keywords(arrays)
    )
    pullback(cotangent(backend, y))
    for array, original in zip(arrays, sample.arrays(), strict=True):
        if array is not None:
            backend.assert_equal(array, original)


@every_sample
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_namespace_and_device_are_kept(backend: Library, sample: Sample, dtype: str) -> None:
    if not hasattr(backend.xp, dtype):
        assert backend.label == "strict"  # the standard has no float16
        return
    y, pullback = vjp(backend, sample, dtype)
    gradients = pullback(cotangent(backend, y))
    exact, exact_pullback = vjp(Library("numpy"), sample)
    desired = exact_pullback(cotangent(Library("numpy"), exact).astype(dtype).astype("float64"))
    rtol = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-10}[dtype]
    backend.assert_close(y, exact, rtol, dtype=dtype)
    for gradient, reference in zip(gradients, desired, strict=True):
        if reference is not None:
            backend.assert_close(gradient, reference, rtol, dtype=dtype)


@every_sample
@pytest.mark.parametrize("layout", ["channels_last", "strided", "transposed", "flipped"])
def test_memory_layout_does_not_matter(backend: Library, sample: Sample, layout: str) -> None:
    y, pullback = vjp(backend, sample)
    other, other_pullback = vjp(backend, sample, layout=layout)
    backend.assert_close(other, y, rtol=1e-13)
    gradients = pullback(cotangent(backend, y))
    for actual, desired in zip(
        other_pullback(cotangent(backend, y, layout=layout)), gradients, strict=True
    ):
        if desired is not None:
            backend.assert_close(actual, desired, rtol=1e-13)


@every_sample
def test_cotangents_may_be_broadcast(backend: Library, sample: Sample) -> None:
    """One number in memory that fills the whole cotangent, as behind a sum."""
    y, pullback = vjp(backend, sample)
    one = backend.array(np.full((1,) * y.ndim, 0.5))
    gradients = pullback(backend.array(np.full(y.shape, 0.5)))
    for actual, desired in zip(
        pullback(backend.xp.broadcast_to(one, tuple(y.shape))), gradients, strict=True
    ):
        if desired is not None:
            backend.assert_close(actual, desired, rtol=1e-13)


@every_sample
def test_mixed_libraries_are_refused(sample: Sample) -> None:
    """A NumPy array among arrays of another library is refused by name."""
    pytest.importorskip("array_api_strict")
    strict, numpy = Library("strict"), Library("numpy")
    arrays = called(strict, sample)
    given = [place for place, array in enumerate(arrays) if array is not None]
    if len(given) < 2:
        return
    arrays[given[-1]] = called(numpy, sample)[given[-1]]
    with pytest.raises(TypeError, match="numpy"):
        getattr(ops, sample.operation)(*sample.positional(arrays), **sample.keywords(arrays))


@every_sample
def test_mixed_floating_dtypes_are_refused(backend: Library, sample: Sample) -> None:
    arrays = called(backend, sample)
    floating = [
        place
        for place, array in enumerate(arrays)
        if array is not None and dtype_name(array) == "float64"
    ]
    if len(floating) < 2:
        return
    arrays[floating[-1]] = called(backend, sample, "float32")[floating[-1]]
    with pytest.raises(TypeError, match=r"float32.*float64|float64.*float32"):
        getattr(ops, sample.operation)(*sample.positional(arrays), **sample.keywords(arrays))


@every_sample
def test_what_is_not_an_array_is_refused(backend: Library, sample: Sample) -> None:
    arrays = called(backend, sample)
    arrays[0] = [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(TypeError, match="must be an array, got list"):
        getattr(ops, sample.operation)(*sample.positional(arrays), **sample.keywords(arrays))


def test_one_gradient_for_each_array_given(backend: Library) -> None:
    """The tuple reaches to the last array that the call names, and no further."""
    x, weight, bias = (backend.array(np.ones(shape)) for shape in ((2, 3), (4, 3), (4,)))
    for arrays, options, count in (
        ((x, weight), {}, 2),
        ((x, weight, None), {}, 3),
        ((x, weight, bias), {}, 3),
        ((x,), {"weight": weight}, 2),
        ((x,), {"weight": weight, "bias": bias}, 3),
    ):
        y, pullback = ops.vjp(ops.linear, *arrays, **options)
        assert len(pullback(y)) == count


def test_only_registered_operations_have_a_way_back() -> None:
    with pytest.raises(TypeError, match="not a differentiable operation"):
        ops.vjp(ops.conv_output_size, 3, 1)
    with pytest.raises(TypeError, match="not a differentiable operation"):
        ops.vjp(lambda x: x, 1.0)


@every_sample
def test_the_cotangent_is_checked(backend: Library, sample: Sample) -> None:
    y, pullback = vjp(backend, sample)
    with refused(str(tuple(y.shape)), "7"):
        pullback(backend.array(np.ones((*y.shape, 7))))
    with refused("float64", "float32", error=TypeError):
        pullback(cotangent(backend, backend.array(host(y), "float32")))


def test_a_call_that_does_not_fit_is_refused_under_the_operations_name() -> None:
    with pytest.raises(TypeError, match=r"conv2d\(\): missing a required argument: 'weight'"):
        ops.vjp(ops.conv2d, np.ones((1, 1, 3, 3)))


@pytest.mark.parametrize("operation", ops.registered(), ids=lambda o: o.__name__)
def test_an_unknown_option_is_refused_under_the_operations_name(operation: Any) -> None:
    first = next(iter(inspect.signature(operation).parameters.values()))
    given = () if first.kind is first.VAR_POSITIONAL else (np.ones((2, 3)),)
    with pytest.raises(TypeError, match=rf"^{operation.__name__}\(\)"):
        operation(*given, nonsense=1)
