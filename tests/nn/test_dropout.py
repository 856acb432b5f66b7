"""`Dropout`: one mask for each forward pass, the same on every library."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import run
from tests.refusals import refused
from xpconv import nn
from xpconv.random import Stream, current_stream, manual_seed, use_stream

ONES = np.ones((10, 10))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_seed_draws_the_same_masks_everywhere(backend: Library, dtype: str) -> None:
    """Through a whole network, whatever the library and the precision."""
    model = nn.Sequential(nn.Dropout(0.3), nn.Flatten(), nn.Dropout(0.6), nn.Residual(nn.Dropout()))
    for seed in (0, 2**40):
        expected, way_back = run(model, np.ones((3, 4, 5)), seed=seed)
        y, backward = run(model, backend.array(np.ones((3, 4, 5)), dtype), seed=seed)
        backend.assert_close(y, expected.astype(dtype))
        backend.assert_close(backward(y)[0], way_back(expected)[0].astype(dtype))
        assert np.array_equal(host(y) == 0, expected == 0)


def test_the_stream_in_force_decides() -> None:
    layer = nn.Dropout()
    state = current_stream().state_dict()
    try:
        manual_seed(5)
        first, second = (layer.forward(ONES, training=True)[0] for _ in range(2))
        manual_seed(5)
        again = layer.forward(ONES, training=True)[0]
    finally:
        current_stream().load_state_dict(state)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, run(layer, ONES, seed=5)[0])
    assert np.any(first != second)


def test_every_forward_pass_takes_a_new_mask(backend: Library) -> None:
    layer, x = nn.Dropout(0.5), backend.array(ONES)
    with use_stream(Stream(0)):
        masks = [host(layer.forward(x, training=True)[0]) for _ in range(4)]
    for i, one in enumerate(masks):
        for two in masks[i + 1 :]:
            assert 0.3 < np.mean(one == two) < 0.7


def test_each_way_back_keeps_its_own_mask(backend: Library) -> None:
    layer, x = nn.Dropout(0.5), backend.array(ONES)
    with use_stream(Stream(0)):
        runs = [layer.forward(x, training=True) for _ in range(3)]
        for y, backward in [*reversed(runs), *runs]:
            backend.assert_equal(backward(x)[0], y)


def test_what_is_kept_is_scaled_up(backend: Library) -> None:
    y, _ = run(nn.Dropout(0.2), backend.array(np.full((40, 50), 3.0)))
    values = host(y)
    assert set(np.unique(values)) == {0.0, 3.0 / 0.8}
    assert 0.77 < np.mean(values != 0) < 0.83


def test_probability_zero_and_one(backend: Library, rng) -> None:
    x = rng.normal(size=(3, 4))
    y, backward = run(nn.Dropout(0.0), backend.array(x))
    backend.assert_equal(y, x)
    backend.assert_equal(backward(backend.array(x))[0], x)
    y, backward = run(nn.Dropout(1.0), backend.array(x))
    backend.assert_equal(y, np.zeros((3, 4)))
    backend.assert_equal(backward(backend.array(x))[0], np.zeros((3, 4)))


def test_inference_passes_on_and_draws_nothing(backend: Library) -> None:
    """Looking at validation data between two steps must not change the steps."""
    layer, x = nn.Dropout(0.9), backend.array(ONES)
    with use_stream(Stream(3)) as stream:
        before = stream.state_dict()
        backend.assert_equal(layer(x), ONES)
        y, backward = layer.forward(x)
        backend.assert_equal(y, ONES)
        backend.assert_equal(backward(x)[0], ONES)
        assert stream.state_dict() == before


def test_initial_weights_and_masks_do_not_disturb_one_another() -> None:
    """A model with one layer more draws the same masks, and masks leave the weights alone."""
    with use_stream(Stream(4)):
        nn.Linear(3, 3)
        masked = nn.Dropout().forward(ONES, training=True)[0]
        second = nn.Linear(3, 3).weight
    np.testing.assert_array_equal(masked, run(nn.Dropout(), ONES, seed=4)[0])
    with use_stream(Stream(4)):
        nn.Linear(3, 3)
        np.testing.assert_array_equal(nn.Linear(3, 3).weight, second)


def test_it_has_no_state() -> None:
    assert nn.Dropout(0.25).state_dict() == {}
    assert nn.Dropout(np.float64(0.25)).state_dict() == {}


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_p_is_a_probability(p: float) -> None:
    with refused("dropout probability has to be between 0 and 1", str(p)):
        nn.Dropout(p)
