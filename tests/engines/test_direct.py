"""The compiled engine: what it needs, any memory layout, sums that are as good as im2col's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given

import xpconv
from tests.engines.test_engines import drawn_problem, problem_of
from tests.ops import strategies
from xpconv import engines
from xpconv.engines import _numba as compiled, direct, im2col

FLOAT32 = dataclasses.replace(problem_of(), dtype="float32", library="numpy")
NEEDED = pytest.mark.skipif(compiled.refusal() is not None, reason=str(compiled.refusal()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"library": "torch"}, "not NumPy's"),
        ({"dtype": "float16"}, "not for float16"),
        ({"dtype": ""}, "not for any dtype"),
        ({"batch": 0}, "nothing to multiply"),
        ({"in_size": (0, 6)}, "nothing to multiply"),
        ({"in_channels": 0}, "nothing to multiply"),
        ({"kernel_size": (1, 1, 1, 1)}, "4 spatial dimensions"),
    ],
)
def test_refusals(change: dict, words: str) -> None:
    assert words in str(direct.refusal(dataclasses.replace(FLOAT32, **change)))


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_NUMBA", "0")
    compiled.refusal.cache_clear()
    try:
        assert direct.refusal(FLOAT32) == "XPCONV_NUMBA=0 turns Numba off"
    finally:
        compiled.refusal.cache_clear()


def arrays(problem: engines.Problem, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    sizes = (
        (problem.batch, *problem.in_size, problem.in_channels),
        (problem.out_channels, problem.group_in, *problem.kernel_size),
        (problem.batch, *problem.out_size, problem.out_channels),
        (problem.out_channels,),
    )
    return tuple(rng.normal(size=size).astype(problem.dtype) for size in sizes)


def solved(engine, problem, x, weight, dy, bias) -> list[np.ndarray]:
    return [
        engine.forward(problem, x, weight, bias),
        engine.input_grad(problem, dy, weight),
        engine.weight_grad(problem, x, dy),
    ]


@NEEDED
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_as_im2col(dtype: str, conv: strategies.Conv, seed: int) -> None:
    problem = dataclasses.replace(drawn_problem(conv), dtype=dtype, library="numpy")
    assert direct.refusal(problem) is None
    given = arrays(problem, seed)
    exact = [array.astype(np.float64) for array in given]
    terms = max(problem.window, problem.batch * int(np.prod(problem.out_size)))
    bound = 8 * np.sqrt(terms) * np.finfo(dtype).eps
    for mine, theirs in zip(solved(direct, problem, *given), solved(im2col, problem, *exact)):
        assert mine.dtype == dtype
        assert np.abs(mine - theirs).max(initial=0) <= bound * max(1, np.abs(theirs).max(initial=0))


# Numbers of channels at and around the tiles' edges, rows of many lengths, narrow and wide images.
EDGES = [
    {"n_in": 3, "n_out": 31, "size": (5, 37)},
    {"n_in": 33, "n_out": 17, "size": (9, 12)},
    {"n_in": 16, "n_out": 70, "size": (13, 13), "stride": 2},
    {"n_in": 64, "n_out": 64, "groups": 16, "size": (6, 25)},
    {"n_in": 40, "n_out": 40, "groups": 40, "size": (6, 25), "stride": 2},
    {"n_in": 20, "n_out": 60, "groups": 20, "size": (9, 9), "dilation": 2},
    {"n_in": 24, "n_out": 96, "groups": 2, "size": (4, 3)},
    {"n_in": 24, "n_out": 24, "groups": 12, "size": (23, 40)},
    {"n_in": 12, "n_out": 12, "groups": 3, "size": (4, 41), "stride": 2},
    {"n_in": 19, "n_out": 19, "groups": 19, "size": (3, 41), "kernel": 5},
    {"n_in": 17, "n_out": 17, "groups": 17, "size": (39, 43), "kernel": 5, "stride": 2},
    {"n_in": 3, "n_out": 3, "groups": 3, "size": (7, 40), "kernel": 7},
    {"n_in": 6, "n_out": 12, "groups": 6, "size": (5, 30), "kernel": 1, "stride": 3},
    {"n_in": 7, "n_out": 3, "size": (2, 2)},
    {"n_in": 5, "n_out": 41, "size": (4, 11)},
    {"n_in": 48, "n_out": 24, "size": (3, 20), "stride": 2},
    {"n_in": 80, "n_out": 86, "groups": 2, "size": (4, 9)},
    {"n_in": 6, "n_out": 20, "size": (3, 9), "kernel": 7, "padding": ((3, 3), (3, 3))},
    {"kernel": 1, "n_in": 50, "n_out": 33, "size": (7, 26)},
    {"kernel": 1, "n_in": 5, "n_out": 6, "size": (9, 9), "stride": 3},
]


@NEEDED
@pytest.mark.parametrize("shape", EDGES)
@pytest.mark.parametrize("batch", [1, 15])
def test_edges_of_tiles(shape: dict, batch: int) -> None:
    problem = dataclasses.replace(
        problem_of(**shape), batch=batch, dtype="float64", library="numpy"
    )
    given = arrays(problem, 5)
    for mine, theirs in zip(solved(direct, problem, *given), solved(im2col, problem, *given)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)


LAYOUTS = {
    "channels first": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 1)), 1, -1),
    "every second": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "reversed": lambda a: a[:, ::-1].copy()[:, ::-1],
    "columns first": lambda a: np.asfortranarray(a),
    "one number everywhere": lambda a: np.broadcast_to(a.ravel()[:1], a.shape),
    "unaligned": lambda a: _unaligned(a),
}


def _unaligned(a: np.ndarray) -> np.ndarray:
    record = np.zeros(a.shape, dtype=[("flag", "i1"), ("value", a.dtype)])
    record["value"] = a
    return record["value"]


@NEEDED
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
@pytest.mark.parametrize(
    "shape", [{}, {"kernel": 1}, {"groups": 4, "n_out": 8}, {"n_in": 19, "n_out": 2}]
)
def test_any_memory_layout(layout, shape: dict) -> None:
    problem = dataclasses.replace(problem_of(**shape), dtype="float32", library="numpy")
    given = [layout(a) if a.ndim > 1 else a for a in arrays(problem, 2)]
    plain = [np.ascontiguousarray(a) for a in given]
    for mine, theirs in zip(solved(direct, problem, *given), solved(direct, problem, *plain)):
        np.testing.assert_array_equal(mine, theirs)
    for array, copy in zip(given, plain):
        np.testing.assert_array_equal(array, copy)


@NEEDED
def test_what_is_not_a_number_stays_where_it_is() -> None:
    problem = dataclasses.replace(
        problem_of(n_in=40, n_out=40, size=(9, 9)), dtype="float32", library="numpy"
    )
    x, weight, _, bias = arrays(problem, 3)
    x[0, 4, 4, 7] = np.nan
    y = direct.forward(problem, x, weight, bias)
    bad = np.isnan(y).any(axis=-1)
    assert bad[0, 3:6, 3:6].all()
    assert bad.sum() == 9


@NEEDED
@pytest.mark.parametrize("budget", [1, 30_000, 10**6])
@pytest.mark.parametrize(
    "shape",
    [
        {"n_in": 40, "n_out": 40, "groups": 40, "size": (30, 41)},
        {"n_in": 40, "n_out": 40, "groups": 10, "size": (9, 9), "stride": 2},
        {"n_in": 20, "n_out": 40, "groups": 20, "size": (9, 9)},
        {"n_in": 40, "n_out": 40, "size": (9, 9)},
        {"n_in": 5, "n_out": 3, "size": (9, 70)},
    ],
)
def test_threads_and_small_pieces_give_the_same_bits(
    shape: dict, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_of(**shape)
    problem = dataclasses.replace(problem, batch=19, dtype="float32", library="numpy")
    given = arrays(problem, 6)
    monkeypatch.setenv("XPCONV_NUM_THREADS", "1")
    expected = solved(direct, problem, *given)
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    with xpconv.conv_workspace(budget):
        for mine, theirs in zip(solved(direct, problem, *given), expected):
            np.testing.assert_array_equal(mine, theirs)
