"""`pad`: every mode, forwards and back, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_conv
from tests.backends import Library, dtype_name, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

MODES = ("constant", "reflect", "replicate", "circular")
BORDERS = pytest.mark.parametrize("mode", MODES[1:])


@st.composite
def pads(draw: st.DrawFn, min_batch: int = 1) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """A shape, amounts that begin with the last dimension, and a mode that takes them."""
    mode = draw(st.sampled_from(MODES))
    dims = draw(st.integers(1, 3))
    lead = draw(st.sampled_from([(2,), (draw(st.integers(min_batch, 2)), 2)]))
    if mode == "constant" and dims < 3:
        lead = lead[: draw(st.integers(0, 2))]
    sizes = [draw(st.integers(1, 4)) for _ in range(dims)]
    amounts: list[int] = []
    for n in reversed(sizes):
        if draw(st.booleans()):  # cut one end off, some of it or all but one element
            cut = -draw(st.integers(0, n - 1))
            most = {"reflect": n - 1, "circular": n + cut}.get(mode, 3)
            pair = [cut, draw(st.integers(0, most))]
            amounts += draw(st.permutations(pair))
        else:
            most = {"reflect": n - 1, "circular": n}.get(mode, 3)
            amounts += [draw(st.integers(0, most)), draw(st.integers(0, most))]
    return (*lead, *sizes), tuple(amounts), mode


def pairs_of(shape: tuple[int, ...], amounts: tuple[int, ...]) -> list[tuple[int, int]]:
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))[::-1]
    return [(0, 0)] * (len(shape) - len(pairs)) + pairs


# --- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "amounts", "row", "gradient"),
    [
        ("constant", (2, 1), [7, 7, 1, 2, 3, 7], [4, 8, 16]),
        ("constant", (-1, 1), [2, 3, 7], [0, 1, 2]),
        ("reflect", (2, 1), [3, 2, 1, 2, 3, 2], [4, 42, 17]),
        ("reflect", (-2, 2), [3, 2, 1], [4, 2, 1]),
        ("replicate", (2, 1), [1, 1, 1, 2, 3, 3], [7, 8, 48]),
        ("replicate", (4, -4), [1, 1, 1], [7, 0, 0]),
        ("circular", (2, 1), [2, 3, 1, 2, 3, 1], [36, 9, 18]),
        ("circular", (-1, 2), [2, 3, 2, 3], [0, 5, 10]),
        ("circular", (3, 3), [1, 2, 3, 1, 2, 3, 1, 2, 3], [73, 146, 292]),
    ],
    ids=str,
)
def test_by_hand(backend: Library, mode: str, amounts, row, gradient) -> None:
    x = backend.array([[1.0, 2.0, 3.0]])
    value = 7.0 if mode == "constant" else None
    y, pullback = ops.vjp(ops.pad, x, amounts, mode, value)
    backend.assert_equal(y, np.array([row], dtype="float64"))
    powers = backend.array([[2.0**k for k in range(len(row))]])
    backend.assert_equal(pullback(powers)[0], np.array([gradient], dtype="float64"))


def test_amounts_begin_with_the_last_dimension(backend: Library) -> None:
    y = ops.pad(backend.array(np.ones((2, 3, 4))), (1, 2, 0, 4))
    assert y.shape == (2, 7, 7)
    assert host(y).sum() == 24
    assert host(y)[:, :3, 1:5].sum() == 24


# --- oracle and peer -----------------------------------------------------------------------------


@given(drawn=pads(min_batch=0), seed=seeds)
def test_against_the_loops(backend: Library, drawn, seed: int) -> None:
    shape, amounts, mode = drawn
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    value = 1.5 if mode == "constant" else None
    y, pullback = ops.vjp(ops.pad, backend.array(x), amounts, mode, value)
    pairs = pairs_of(shape, amounts)
    backend.assert_equal(y, reference_conv.padded(x, pairs, mode, value or 0))
    dy = rng.normal(size=y.shape)
    desired = reference_conv.padded_gradient(dy, shape, pairs, mode)
    backend.assert_close(pullback(backend.array(dy))[0], desired, rtol=1e-13)


@given(drawn=pads(), seed=seeds, dtype=dtypes)
def test_as_pytorch(backend: Library, torch, drawn, seed: int, dtype: str) -> None:
    shape, amounts, mode = drawn
    if not shape:
        return  # dy of no dimension
    assert_as_torch(
        backend,
        ops.pad,
        lambda x: torch.nn.functional.pad(x, amounts, mode),
        [np.random.default_rng(seed).normal(size=shape)],
        dtype=dtype,
        pad=amounts,
        mode=mode,
    )


@given(
    shape=st.lists(st.integers(0, 4), max_size=6).map(tuple),
    amounts=st.lists(st.integers(-2, 3), max_size=8).map(tuple),
    mode=st.sampled_from([*MODES, "symmetric"]),
    value=st.sampled_from([None, None, 0, 2.5]),
)
def test_what_pytorch_refuses(backend: Library, torch, shape, amounts, mode, value) -> None:
    """And nothing else, but that a circle takes no more than is left after a cut."""
    try:
        y = torch.nn.functional.pad(torch.ones(shape), amounts, mode, value)
        desired = tuple(y.shape)
    except (RuntimeError, NotImplementedError):
        desired = None
    try:
        actual = tuple(ops.pad(backend.array(np.ones(shape)), amounts, mode, value).shape)
    except ValueError as error:
        actual = None
        if mode == "circular" and min(amounts, default=0) < 0 and " more than" in str(error):
            return  # PyTorch reads what it has not written yet
    assert actual == desired


# --- edges ---------------------------------------------------------------------------------------


@BORDERS
def test_what_is_copied_is_copied_whole(backend: Library, mode: str) -> None:
    x = np.array([[np.nan, 1.0, -np.inf, 0.0]])
    y = ops.pad(backend.array(x), (2, 3), mode)
    backend.assert_equal(y, reference_conv.padded(x, [(0, 0), (2, 3)], mode))


def test_a_cut_nan_leaves_no_trace(backend: Library) -> None:
    x = backend.array([[np.nan, 1.0, 2.0]])
    y, pullback = ops.vjp(ops.pad, x, (-1, 1))
    backend.assert_equal(y, np.array([[1.0, 2.0, 0.0]]))
    backend.assert_equal(pullback(y)[0], np.array([[0.0, 1.0, 2.0]]))


@BORDERS
def test_empty_batch(backend: Library, mode: str) -> None:
    y, pullback = ops.vjp(ops.pad, backend.array(np.zeros((0, 2, 3, 3))), (1, 2, 2, 0), mode)
    assert y.shape == (0, 2, 5, 6)
    assert pullback(y)[0].shape == (0, 2, 3, 3)


def test_nothing_to_do(backend: Library) -> None:
    x = backend.array(np.arange(6.0).reshape(1, 2, 3))
    for mode, amounts in (("constant", ()), *((mode, (0, 0)) for mode in MODES)):
        y, pullback = ops.vjp(ops.pad, x, amounts, mode)
        backend.assert_equal(y, host(x))
        backend.assert_equal(pullback(x)[0], host(x))


# --- dtypes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers(backend: Library, dtype: str, mode: str) -> None:
    x = np.arange(12).reshape(1, 3, 4).astype(dtype)
    value = 3.9 if mode == "constant" else None  # cut to a whole number
    y, pullback = ops.vjp(ops.pad, backend.array(x), (2, 1), mode, value)
    desired = reference_conv.padded(x, [(0, 0), (0, 0), (2, 1)], mode, 3 if value else 0)
    backend.assert_equal(y, desired)
    assert pullback(y) == (None,)


def test_truth_values(backend: Library) -> None:
    x = backend.array([[True, False]])
    for value, desired in ((None, False), (0, False), (2.5, True), (float("nan"), True)):
        y = ops.pad(x, (1, 0), value=value)
        backend.assert_equal(y, np.array([[desired, True, False]]))
    backend.assert_equal(ops.pad(x, (1, 0), "circular"), np.array([[False, True, False]]))
    for mode in ("reflect", "replicate"):
        with refused("bool", mode, error=TypeError):
            ops.pad(x, (1, 0), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex(backend: Library, mode: str, dtype: str) -> None:
    """Copies and sums: of the real and of the imaginary parts, no conjugate anywhere."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(1, 3, 4)) + 1j * rng.normal(size=(1, 3, 4))).astype(dtype)
    y, pullback = ops.vjp(ops.pad, backend.array(x), (2, -1, 1, 2), mode)
    (dx,) = pullback(y)
    assert dtype_name(y) == dtype_name(dx) == dtype
    for part in (np.real, np.imag):
        one, back = ops.vjp(ops.pad, part(x).copy(), (2, -1, 1, 2), mode)
        np.testing.assert_array_equal(part(host(y)), one)
        np.testing.assert_array_equal(part(host(dx)), back(one)[0])


def test_halves_are_added_in_single(backend: Library) -> None:
    """2048 + 1 + ... is 2048 in half precision."""
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # the standard has no float16
        return
    x = backend.array(np.ones((1, 1)), "float16")
    _, pullback = ops.vjp(ops.pad, x, (8, 0), "replicate")
    dy = backend.array([[1.0] * 8 + [2048.0]], "float16")
    backend.assert_equal(pullback(dy)[0], np.array([[2056.0]], dtype="float16"))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "amounts", "options", "words"),
    [
        ((2, 3, 4), (1, 1, 1), {}, ["divisible by 2", "(1, 1, 1)"]),
        ((3, 4), (1,) * 6, {}, ["two times the input dimension", "2 dimension(s)"]),
        ((3, 4), (1, 1), {"mode": "edge"}, ["mode", "'replicate'", "'edge'"]),
        ((3, 4), (-3, -2), {}, ["(-3, -2)", "dimension 1", "(3, 4)"]),
        ((3, 4), (-5, 5), {}, ["cuts off more than there is", "(-5, 5)"]),
        ((3, 4), (4, 0), {"mode": "reflect"}, ["less than the input dimension", "(4, 0)"]),
        ((3, 4), (0, 5), {"mode": "circular"}, ["wrapping around more than once", "(0, 5)"]),
        ((3, 4), (3, -2), {"mode": "circular"}, ["wrapping around more than once", "(3, -2)"]),
        ((3, 4), (-2, -2), {"mode": "replicate"}, ["leaves nothing", "(3, 4)"]),
        ((3, 0), (1, 1), {"mode": "replicate"}, ["positive", "(3, 0)"]),
        ((2, 0, 4), (1, 1), {"mode": "reflect"}, ["positive", "(2, 0, 4)"]),
        ((3, 4), (1, 1, 1, 1), {"mode": "reflect"}, ["padding size 4", "2-D", "(3, 4)"]),
        ((2, 3, 4, 5), (1, 1), {"mode": "circular"}, ["padding size 2", "4-D"]),
        ((1, 2, 3, 4, 5, 6), (1,) * 6, {"mode": "replicate"}, ["6-D"]),
        ((3, 4), (1, 1), {"mode": "reflect", "value": 1.0}, ["'reflect'", "value"]),
    ],
    ids=str,
)
def test_refusals(backend: Library, shape, amounts, options: dict[str, Any], words) -> None:
    with refused(*words):
        ops.pad(backend.array(np.ones(shape)), amounts, **options)


@pytest.mark.parametrize("amounts", [1, None, "11", (1.0, 1), (True, 1), (None, 1)], ids=str)
def test_amounts_are_a_tuple_of_integers(backend: Library, amounts) -> None:
    with refused("pad", error=TypeError):
        ops.pad(backend.array(np.ones((3, 4))), amounts)


@pytest.mark.parametrize("value", ["a", 1j, [1.0]], ids=str)
def test_the_value_is_a_real_number(backend: Library, value) -> None:
    with refused("value", repr(value), error=TypeError):
        ops.pad(backend.array(np.ones((3, 4))), (1, 1), value=value)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", -1),
        ("uint8", 256),
        ("int8", 127.5),
        ("int32", float("nan")),
        ("int64", float("inf")),
        ("int64", 2**63),
        ("float32", 1e39),
        ("float64", 10**400),
    ],
)
def test_the_value_fits_the_dtype(backend: Library, dtype: str, value: float) -> None:
    x = backend.array(np.ones((3, 4)), dtype)
    with refused(str(value)[:20], dtype, "overflow"):
        ops.pad(x, (1, 1), value=value)
    backend.assert_equal(ops.pad(x, (-1, 0), value=value), np.ones((3, 3), dtype))  # not needed


def test_the_value_may_be_infinite(backend: Library) -> None:
    for value in (float("inf"), float("-inf"), float("nan"), np.float32(1.5), True):
        y = ops.pad(backend.array([[1.0]], "float32"), (0, 1), value=value)
        backend.assert_equal(y, np.array([[1.0, value]], dtype="float32"))
