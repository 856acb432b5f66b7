"""`dropout` in all its forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, host
from tests.refusals import refused
from xpconv import ops
from xpconv.random import Stream, use_stream


def test_what_is_kept_is_scaled_up(backend: Library, rng: np.random.Generator) -> None:
    x = rng.uniform(1, 2, size=(40, 50))
    y, pullback = ops.vjp(ops.dropout, backend.array(x), 0.25, key=(3, 4))
    kept = host(y) != 0
    assert 0.70 < kept.mean() < 0.80
    backend.assert_close(y, np.where(kept, x / 0.75, 0.0), rtol=1e-15)
    dy = rng.normal(size=x.shape)
    backend.assert_close(pullback(backend.array(dy))[0], np.where(kept, dy / 0.75, 0.0), 1e-15)


def test_the_same_key_draws_the_same_mask_everywhere(backend: Library) -> None:
    for dtype in ("float32", "float64"):
        x = np.ones((7, 5), dtype)
        expected = ops.dropout(np.ones((7, 5)), 0.4, key=(11, 12))
        y = ops.dropout(backend.array(x), 0.4, key=(11, 12))
        np.testing.assert_array_equal(host(y) != 0, expected != 0)
        backend.assert_close(y, expected.astype(dtype))


def test_other_keys_draw_other_masks(backend: Library) -> None:
    x = backend.array(np.ones(200))
    masks = [host(ops.dropout(x, 0.5, key=key)) for key in ((0, 0), (0, 1), (1, 0))]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert 0.3 < np.mean(masks[i] == masks[j]) < 0.7


def test_neighbours_are_independent(backend: Library) -> None:
    y = host(ops.dropout(backend.array(np.ones((100, 100))), 0.5, key=(5, 6))) - 1
    for shift in (1, 2, 3, 4, 100):
        assert abs(np.mean(y.ravel()[shift:] * y.ravel()[:-shift])) < 0.05


def test_without_a_key_the_current_stream_gives_one(backend: Library) -> None:
    x = backend.array(np.ones((5, 6)))
    with use_stream(Stream(5)):
        first, second = ops.dropout(x), ops.dropout(x)
    with use_stream(Stream(5)):
        again = ops.dropout(x)
    backend.assert_equal(first, host(again))
    assert np.any(host(first) != host(second))


@pytest.mark.parametrize("options", [{"p": 0.0}, {"p": 0.9, "training": False}])
def test_identity(backend: Library, rng, options) -> None:
    x = rng.normal(size=(3, 4))
    y, pullback = ops.vjp(ops.dropout, backend.array(x), **options)
    backend.assert_equal(y, x)
    backend.assert_equal(pullback(y)[0], x)


def test_everything_dropped(backend: Library) -> None:
    y, pullback = ops.vjp(ops.dropout, backend.array(np.ones((3, 4))), 1.0, key=(1, 2))
    backend.assert_equal(y, np.zeros((3, 4)))
    backend.assert_equal(pullback(backend.array(np.ones((3, 4))))[0], np.zeros((3, 4)))


@pytest.mark.parametrize("shape", [(0, 3), (), (1,), (5,)])
def test_odd_shapes(backend: Library, shape) -> None:
    assert ops.dropout(backend.array(np.ones(shape)), 0.5, key=(1, 2)).shape == shape


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_p_is_a_probability(backend: Library, p: float) -> None:
    for training in (True, False):
        with refused("probability", "0 and 1", str(p)):
            ops.dropout(backend.array(np.ones(3)), p, training)


# --- what shares one fate ------------------------------------------------------------------------

FATES = [
    ("dropout1d", (6, 7, 5), (6, 7, 1)),
    ("dropout1d", (30, 5), (30, 1)),  # without a batch axis
    ("dropout2d", (6, 7, 3, 2), (6, 7, 1, 1)),
    ("dropout2d", (6, 7, 5), (6, 7, 1)),  # PyTorch takes the first axis for the batch, here too
    ("dropout2d", (6, 7), (6, 7)),
    ("dropout3d", (6, 7, 2, 1, 3), (6, 7, 1, 1, 1)),
    ("dropout3d", (30, 2, 3, 2), (30, 1, 1, 1)),  # without a batch axis
    ("dropout3d", (30, 2, 3), (30, 1, 1)),
    ("feature_alpha_dropout", (6, 7, 3, 2), (6, 7, 1, 1)),
    ("alpha_dropout", (6, 7, 3), (6, 7, 3)),
]


@pytest.mark.parametrize(("name", "shape", "fates"), FATES, ids=str)
def test_what_shares_one_fate(backend: Library, rng, name, shape, fates) -> None:
    """The mask is that of one number for each fate, spread over all that shares it."""
    x = rng.normal(size=shape)
    key = (5, 9)
    kept = host(ops.dropout(backend.array(np.ones(fates)), 0.4, key=key)) != 0
    assert 0 < kept.mean() < 1
    options = {"p": 0.4, "training": True, "key": key}
    y, pullback = ops.vjp(getattr(ops, name), backend.array(x), **options)
    slope = host(pullback(backend.array(np.ones(shape)))[0])
    np.testing.assert_array_equal(slope != 0, np.broadcast_to(kept, shape))
    if "alpha" in name:
        limit = 1.0507009873554805 * 1.6732632423543772  # -selu(-inf)
        scale = (0.6 * (1 + 0.4 * limit**2)) ** -0.5
        desired = scale * (np.where(kept, x, -limit) + 0.4 * limit)
    else:
        desired = np.where(kept, x / 0.6, 0)
    backend.assert_close(y, desired, rtol=1e-12)


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_stochastic_depth(backend: Library, rng: np.random.Generator, mode: str) -> None:
    x = rng.normal(size=(40, 3, 2))
    fates = 0
    for key in range(20):
        y = host(ops.stochastic_depth(backend.array(x), 0.25, mode, key=(key, 1)))
        whole = [np.all(row == 0) for row in y]
        assert all(
            gone or np.allclose(row, original / 0.75)
            for row, original, gone in zip(y, x, whole, strict=True)
        )
        assert mode == "row" or len(set(whole)) == 1
        fates += np.mean(whole)
    assert 0 < fates / 20 < 0.5


def test_alpha_dropout_keeps_mean_and_variance(backend: Library, rng) -> None:
    x = backend.array(rng.normal(size=(200, 300)))
    for name in ("alpha_dropout", "feature_alpha_dropout"):
        y = host(getattr(ops, name)(x, 0.3, training=True, key=(1, 2)))
        assert abs(y.mean()) < 0.02
        assert abs(y.var() - 1) < 0.02


# PyTorch takes inputs of odd ranks and says that it will not for ever.
old_ranks = pytest.mark.filterwarnings("ignore:dropout[23]d. Received:UserWarning")
EVERY = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"]


@old_ranks
@pytest.mark.parametrize("name", EVERY)
def test_edges_as_pytorch(backend: Library, torch, rng, name: str) -> None:
    """Nothing dropped, everything dropped, and inference; of integers and complex numbers, too."""
    operation, theirs = getattr(ops, name), getattr(torch.nn.functional, name)
    for dtype in ("float32", "int64", "bool", "complex64"):
        x = rng.normal(size=(2, 3, 4)).astype(dtype)
        for options in ({"p": 0.0, "training": True}, {"p": 0.7, "training": False}):
            np.testing.assert_array_equal(host(operation(backend.array(x), **options)), x)
        with np.errstate(all="ignore"):
            y = host(operation(backend.array(x), 1.0, training=True))
        desired = theirs(torch.tensor(x), 1.0, training=True).numpy()
        np.testing.assert_array_equal(y, desired)
        assert y.dtype == desired.dtype
        if dtype != "float32":
            with refused("x must have a real floating dtype", dtype, error=TypeError):
                operation(backend.array(x), 0.5, training=True)


@old_ranks
@pytest.mark.parametrize("name", EVERY)
def test_ranks_as_pytorch(backend: Library, torch, name: str) -> None:
    theirs = getattr(torch.nn.functional, name)
    for axes in range(7):
        for training in (False, True):
            shape = (2,) * axes
            try:
                theirs(torch.ones(shape), 0.5, training)
            except RuntimeError:
                with refused(name if training else "dropout1d", str(shape)):
                    getattr(ops, name)(backend.array(np.ones(shape)), 0.5, training)
            else:
                y = getattr(ops, name)(backend.array(np.ones(shape)), 0.5, training)
                assert y.shape == shape


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"p": 1.5, "mode": "row"}, ["drop probability", "between 0 and 1", "1.5"]),
        ({"p": -0.5, "mode": "batch", "training": False}, ["drop probability", "-0.5"]),
        ({"p": 0.5, "mode": "rows"}, ["'batch' or 'row'", "rows"]),
        ({"p": 0.5, "mode": "", "training": False}, ["'batch' or 'row'", "''"]),
    ],
    ids=str,
)
def test_bad_options_of_stochastic_depth(backend: Library, options, words) -> None:
    with refused(*words):
        ops.stochastic_depth(backend.array(np.ones((2, 3))), **options)


def test_rows_need_an_axis(backend: Library) -> None:
    zero = backend.array(1.0)
    assert ops.stochastic_depth(zero, 0.5, "batch").shape == ()
    with refused("(N, ...)", "()"):
        ops.stochastic_depth(zero, 0.5, "row")
