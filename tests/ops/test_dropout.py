"""`dropout`."""

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
