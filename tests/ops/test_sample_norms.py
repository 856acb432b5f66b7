"""Instance, group, layer, RMS and local response normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_norm as reference
from tests.backends import Library, dtype_name, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

GROUPS = st.tuples(st.integers(1, 3), st.integers(1, 3))  # groups, channels in each
spatial = st.lists(st.integers(1, 3), max_size=3).map(tuple)
epsilons = st.sampled_from([1e-5, 0.1])


def apart(seed: int, *shape: int) -> np.ndarray:
    """Numbers that differ: equal ones leave no variance, and rounding divided by eps."""
    return np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) / 2.0


def affine(seed: int, shape: Any, some: bool) -> list[np.ndarray | None]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) if some else None for _ in range(2)]


def on(backend: Library, *arrays: np.ndarray | None) -> list[Any]:
    return [None if array is None else backend.array(array) for array in arrays]


# --- worked by hand ------------------------------------------------------------------------------


def test_by_hand(backend: Library) -> None:
    x = backend.array([[[1.0, 3.0], [5.0, 5.0]]])
    backend.assert_close(ops.instance_norm(x, eps=0.0625)[:, 1, :], np.array([[0.0, 0.0]]))
    backend.assert_close(ops.instance_norm(x, eps=3.0)[:, 0, :], np.array([[-0.5, 0.5]]))
    whole = np.array([[[-2.5, -0.5], [1.5, 1.5]]]) / np.sqrt(2.75 + 1)
    backend.assert_close(ops.group_norm(x, 1, eps=1.0), whole)
    backend.assert_close(ops.layer_norm(x, (2, 2), eps=1.0), whole)
    backend.assert_close(ops.group_norm(x, 2, eps=3.0), ops.instance_norm(x, eps=3.0))
    backend.assert_close(ops.rms_norm(x, (2, 2), eps=1.0), host(x) / 4)
    backend.assert_close(
        ops.local_response_norm(x, 2, alpha=2.0, beta=1.0, k=1.0),
        np.array([[[1 / 2, 3 / 10], [5 / 27, 5 / 35]]]),
    )


# --- against the loops ---------------------------------------------------------------------------


@given(sizes=GROUPS, rest=spatial, some=st.booleans(), eps=epsilons, seed=seeds)
def test_group_norm_against_the_loops(backend: Library, sizes, rest, some, eps, seed) -> None:
    groups, each = sizes
    x = apart(seed, 2, groups * each, *rest)
    scale = affine(seed, groups * each, some)
    plain = reference.standardise(x, reference.group_parts(x.shape, groups), eps)
    here, weight, bias = on(backend, x, *scale)
    y = ops.group_norm(here, groups, weight, bias, eps)
    backend.assert_close(y, reference.of_channels(plain, *scale))
    if np.prod(rest) > 1:
        plain = reference.standardise(x, reference.group_parts(x.shape, x.shape[1]), eps)
        y = ops.instance_norm(here, weight=weight, bias=bias, eps=eps)
        backend.assert_close(y, reference.of_channels(plain, *scale))


@given(lead=spatial, rest=spatial.filter(len), some=st.booleans(), eps=epsilons, seed=seeds)
def test_layer_norm_against_the_loops(backend: Library, lead, rest, some, eps, seed) -> None:
    x = apart(seed, *lead, *rest)
    weight, bias = affine(seed, rest, some)
    factor, shift = (1.0, 0.0) if weight is None else (weight, bias)
    for centre, operation in ((True, ops.layer_norm), (False, ops.rms_norm)):
        parts = reference.trailing_parts(x.shape, len(rest))
        desired = reference.standardise(x, parts, eps, centre) * factor
        scale = on(backend, weight, bias) if centre else on(backend, weight)
        y = operation(backend.array(x), rest, *scale, eps=eps)
        backend.assert_close(y, desired + (shift if centre else 0.0))


@given(channels=st.integers(1, 6), rest=spatial.filter(len), size=st.integers(1, 8), seed=seeds)
def test_local_response_norm_against_the_loops(backend, channels, rest, size, seed) -> None:
    x = np.random.default_rng(seed).normal(size=(2, channels, *rest))
    y = ops.local_response_norm(backend.array(x), size, 0.5, 0.6, 1.5)
    backend.assert_close(y, reference.local_response_norm(x, size, 0.5, 0.6, 1.5))


# --- against PyTorch -----------------------------------------------------------------------------


@given(
    batch=st.integers(0, 3),
    channels=st.integers(1, 4),
    rest=spatial,
    some=st.booleans(),
    own=st.booleans(),
    eps=epsilons,
    seed=seeds,
    dtype=dtypes,
)
def test_instance_norm_as_pytorch(
    backend: Library, torch, batch, channels, rest, some, own, eps, seed, dtype
) -> None:
    if (own and np.prod(rest) == 1) or batch == 0:
        return  # refused; and PyTorch's gradient of an empty batch fails
    rng = np.random.default_rng(seed)
    statistics = [rng.normal(size=channels), rng.uniform(0.5, 2, size=channels)]
    assert_as_torch(
        backend,
        ops.instance_norm,
        lambda x, mean, var, weight, bias: torch.nn.functional.instance_norm(
            x, mean.clone(), var.clone(), weight, bias, use_input_stats=own, eps=eps
        ),
        [apart(seed, batch, channels, *rest), *statistics, *affine(seed, channels, some)],
        without_gradient=(1, 2),
        dtype=dtype,
        use_input_stats=own,
        eps=eps,
    )


def with_options(operation: Callable[..., Any], *options: Any) -> Callable[..., Any]:
    """An operation whose options stand behind its first array, for `ops.vjp` to differentiate."""

    def call(backend: Library, torch: Any, theirs: Any, x: np.ndarray, *scale: Any, **more: Any):
        tensors = [None if a is None else torch.tensor(a, requires_grad=True) for a in (x, *scale)]
        desired = theirs(tensors[0], *options, *tensors[1:], **more)
        dy = np.random.default_rng(1).normal(size=tuple(desired.shape)).astype(x.dtype)
        desired.backward(torch.tensor(dy))
        here = on(backend, x, *scale)
        y, pullback = ops.vjp(operation, here[0], *options, *here[1:], **more)
        rtol = {"float32": 3e-5, "float64": 1e-10}[str(x.dtype)]
        backend.assert_close(y, desired.detach().numpy(), rtol)
        for tensor, gradient in zip(tensors, pullback(backend.array(dy)), strict=True):
            if tensor is None:
                assert gradient is None
            else:
                backend.assert_close(gradient, tensor.grad.numpy(), rtol)

    return call


@given(sizes=GROUPS, rest=spatial, some=st.booleans(), eps=epsilons, seed=seeds, dtype=dtypes)
def test_group_norm_as_pytorch(backend, torch, sizes, rest, some, eps, seed, dtype) -> None:
    groups, each = sizes
    if each * np.prod(rest) == 1:
        dtype = "float64"  # a single value: no gradient, but PyTorch's rounding over sqrt(eps)
    x = apart(seed, 2, groups * each, *rest).astype(dtype)
    scale = [None if a is None else a.astype(dtype) for a in affine(seed, groups * each, some)]
    check = with_options(ops.group_norm, groups)
    check(backend, torch, torch.nn.functional.group_norm, x, *scale, eps=eps)


@given(
    lead=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    rest=spatial.filter(lambda shape: np.prod(shape) > 2),
    kinds=st.tuples(st.booleans(), st.booleans()),
    eps=epsilons,
    seed=seeds,
    dtype=dtypes,
)
def test_layer_norms_as_pytorch(backend, torch, lead, rest, kinds, eps, seed, dtype) -> None:
    x = apart(seed, *lead, *rest).astype(dtype)
    scale = [
        array.astype(dtype) if some and array is not None else None
        for array, some in zip(affine(seed, rest, True), kinds, strict=True)
    ]
    functional = torch.nn.functional
    check = with_options(ops.layer_norm, rest)
    check(backend, torch, functional.layer_norm, x, *scale, eps=eps)
    check = with_options(ops.rms_norm, rest)
    check(backend, torch, functional.rms_norm, x, scale[0], eps=eps)
    check(backend, torch, functional.rms_norm, x, scale[0])


@given(
    channels=st.integers(1, 6), rest=spatial.filter(len), size=st.integers(1, 8), seed=seeds,
    dtype=dtypes,
)  # fmt: skip
def test_local_response_norm_as_pytorch(backend, torch, channels, rest, size, seed, dtype) -> None:
    x = np.random.default_rng(seed).normal(size=(2, channels, *rest))
    options = {"alpha": 0.5, "beta": 0.6, "k": 1.5}
    assert_as_torch(
        backend,
        ops.local_response_norm,
        lambda x: torch.nn.functional.local_response_norm(x, size, **options),
        [x],
        dtype=dtype,
        size=size,
        **options,
    )


NORMS: list[tuple[str, tuple[Any, ...]]] = [
    ("instance_norm", ()),
    ("group_norm", (2,)),
    ("layer_norm", ((3,),)),
    ("rms_norm", ((3,),)),
    ("local_response_norm", (3,)),
]


@pytest.mark.parametrize(("name", "options"), NORMS, ids=[name for name, _ in NORMS])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_odd_numbers_as_pytorch(backend, torch, rng, name, options, value) -> None:
    x = rng.normal(size=(2, 4, 3))
    x[1, 2, 1] = value
    tensor = torch.tensor(x, requires_grad=True)
    desired = getattr(torch.nn.functional, name)(tensor, *options)
    dy = rng.normal(size=x.shape)
    desired.backward(torch.tensor(dy))
    y, pullback = ops.vjp(getattr(ops, name), backend.array(x), *options)
    backend.assert_close(y, desired.detach().numpy())
    backend.assert_close(pullback(backend.array(dy))[0], tensor.grad.numpy())


# --- dtypes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm", "group_norm", "layer_norm"])
def test_half_with_parameters_in_single(backend: Library, torch, rng, name: str) -> None:
    """Mixed precision: gradients come back in the dtype of what they belong to."""
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # not in the standard
        return
    x = rng.normal(size=(3, 4, 5)).astype("float16")
    weight, bias = (rng.normal(size=5 if name == "layer_norm" else 4) for _ in range(2))
    scale = [weight.astype("float32"), bias.astype("float32")]
    options: tuple[Any, ...] = {
        "group_norm": (2,), "layer_norm": ((5,),)
    }.get(name, (None, None))  # fmt: skip
    more = {"training": True} if name == "batch_norm" else {}
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, *scale)]
    desired = getattr(torch.nn.functional, name)(tensors[0], *options, *tensors[1:], **more)
    desired.backward(torch.ones_like(desired))
    here = on(backend, x, *scale)
    y, pullback = ops.vjp(getattr(ops, name), here[0], *options, *here[1:], **more)
    backend.assert_close(y, desired.detach().numpy(), rtol=2e-3)
    gradients = [g for g in pullback(backend.xp.ones_like(y)) if g is not None]
    assert [dtype_name(g) for g in gradients] == ["float16", "float32", "float32"]
    for gradient, tensor in zip(gradients[1:], tensors[1:], strict=True):
        backend.assert_close(gradient, tensor.grad.numpy(), rtol=2e-3)
    with refused("same dtype", error=TypeError):  # not the other way round
        getattr(ops, name)(here[1][None, :, None], *options, here[0][0, :, 0], **more)


def test_running_statistics_in_single_with_half_input(backend: Library, rng) -> None:
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # not in the standard
        return
    x, mean, var = rng.normal(size=(3, 4, 5)), rng.normal(size=4), rng.uniform(1, 2, size=4)
    statistics = [backend.array(array, "float32") for array in (mean, var)]
    y = ops.batch_norm(backend.array(x, "float16"), *statistics)
    desired = (x - mean[:, None]) / np.sqrt(var[:, None] + 1e-5)
    backend.assert_close(y, desired, rtol=3e-3, dtype="float16")


def test_rms_norm_of_complex_numbers_as_pytorch(backend: Library, torch, rng) -> None:
    """PyTorch squares them, and does not take their length."""
    x, weight, dy = (rng.normal(size=(2, *s)).view("complex128")[0] for s in ((3, 8), (8,), (3, 8)))
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, weight)]
    desired = torch.nn.functional.rms_norm(tensors[0], (4,), tensors[1])
    desired.backward(torch.tensor(dy))
    y, pullback = ops.vjp(ops.rms_norm, backend.array(x), (4,), backend.array(weight))
    np.testing.assert_allclose(host(y), desired.detach().numpy(), rtol=1e-10)
    for gradient, tensor in zip(pullback(backend.array(dy)), tensors, strict=True):
        np.testing.assert_allclose(host(gradient), tensor.grad.numpy(), rtol=1e-10)


def test_local_response_norm_of_integers_as_pytorch(backend: Library, torch) -> None:
    """Integers are pooled into integers, and give float32."""
    x = np.random.default_rng(0).integers(-9, 9, size=(2, 5, 4))
    desired = torch.nn.functional.local_response_norm(torch.tensor(x), 3, 0.5)
    backend.assert_close(ops.local_response_norm(backend.array(x), 3, 0.5), desired.numpy())


@pytest.mark.parametrize(("name", "options"), NORMS, ids=[name for name, _ in NORMS])
@pytest.mark.parametrize("dtype", ["int64", "bool", "complex128"])
def test_dtypes_that_have_no_variance(backend: Library, name: str, options, dtype: str) -> None:
    if (name, dtype) in {("rms_norm", "complex128"), ("local_response_norm", "int64")}:
        return  # PyTorch takes them; tested above
    with refused("x must have a real", dtype, error=TypeError):
        getattr(ops, name)(backend.array(np.ones((2, 4, 3)), dtype), *options)


def test_float32_is_as_exact_as_pytorchs(torch, rng: np.random.Generator) -> None:
    x = rng.normal(100, 1, size=(4, 8, 40, 40))
    for name, options in (("group_norm", (2,)), ("layer_norm", ((40, 40),)), ("instance_norm", ())):
        single = x.astype("float32")
        exact = getattr(torch.nn.functional, name)(torch.tensor(single).double(), *options).numpy()
        theirs = getattr(torch.nn.functional, name)(torch.tensor(single), *options).numpy()
        ours = getattr(ops, name)(single, *options)
        assert np.abs(ours - exact).max() <= 1.5 * np.abs(theirs - exact).max() + 1e-6


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "shape", "words", "error"),
    [
        (lambda x: ops.instance_norm(x), (4,), ["(N, C, ...)", "(4,)"], ValueError),
        (lambda x: ops.instance_norm(x), (2, 4), ["more than 1 spatial", "(2, 4)"], ValueError),
        (lambda x: ops.instance_norm(x), (2, 4, 1, 1), ["more than 1 spatial"], ValueError),
        (lambda x: ops.instance_norm(x, use_input_stats=False), (2, 4, 3), ["running"], ValueError),
        (lambda x: ops.instance_norm(x, x[0, :, 0]), (2, 4, 3), ["both be None"], ValueError),
        (lambda x: ops.instance_norm(x, weight=x[0, 0, :]), (2, 4, 3), ["weight", "4"], ValueError),
        (lambda x: ops.batch_norm(x, x[0, :], None, training=True), (2, 4), ["both"], ValueError),
        (lambda x: ops.group_norm(x, 1), (4,), ["at least 2", "(4,)"], ValueError),
        (lambda x: ops.group_norm(x, 3), (2, 4), ["divisible", "3", "(2, 4)"], ValueError),
        (lambda x: ops.group_norm(x, 0), (2, 4), ["greater than 0", "0"], ValueError),
        (lambda x: ops.group_norm(x, -2), (2, 4), ["greater than 0", "-2"], ValueError),
        (lambda x: ops.group_norm(x, 2.0), (2, 4), ["num_groups", "2.0"], TypeError),
        (lambda x: ops.group_norm(x, 4), (1, 4), ["more than 1 value", "(1, 4)"], ValueError),
        (lambda x: ops.group_norm(x, 2, x[0, :3]), (2, 4), ["weight", "(3,)"], ValueError),
        (lambda x: ops.group_norm(x, 2, None, x), (2, 4), ["bias", "(2, 4)"], ValueError),
        (lambda x: ops.layer_norm(x, 4), (2, 4), ["normalized_shape", "4"], TypeError),
        (lambda x: ops.layer_norm(x, ()), (2, 4), ["at least one"], ValueError),
        (lambda x: ops.layer_norm(x, (2,)), (2, 4), ["[2]", "(2, 4)"], ValueError),
        (lambda x: ops.layer_norm(x, (1, 2, 4)), (2, 4), ["[1, 2, 4]"], ValueError),
        (lambda x: ops.layer_norm(x, (4,), x), (2, 4), ["weight", "(2, 4)", "[4]"], ValueError),
        (lambda x: ops.layer_norm(x, (4,), None, x), (2, 4), ["bias", "(2, 4)"], ValueError),
        (lambda x: ops.rms_norm(x, (3,)), (2, 4), ["[3]", "(2, 4)"], ValueError),
        (lambda x: ops.rms_norm(x, (4,), x[0, :2]), (2, 4), ["weight", "(2,)"], ValueError),
        (lambda x: ops.local_response_norm(x, 2), (2, 4), ["3D or higher", "(2, 4)"], ValueError),
        (lambda x: ops.local_response_norm(x, 0), (2, 4, 1), ["size", "positive"], ValueError),
        (lambda x: ops.local_response_norm(x, 2.0), (2, 4, 1), ["size", "2.0"], TypeError),
    ],
)
def test_bad_arguments_are_named(backend: Library, call, shape, words, error) -> None:
    with refused(*words, error=error):
        call(backend.array(np.ones(shape)))


@pytest.mark.parametrize(("name", "options"), NORMS, ids=[name for name, _ in NORMS])
@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3)])
def test_empty(backend: Library, name: str, options: Any, shape: tuple[int, ...]) -> None:
    y, pullback = ops.vjp(getattr(ops, name), backend.array(np.zeros(shape)), *options)
    assert y.shape == shape
    assert pullback(y)[0].shape == shape
