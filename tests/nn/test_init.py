"""Initial weights: their spread, and that a seed decides them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.refusals import refused
from xpconv.nn import init
from xpconv.random import Stream, use_stream

SHAPE = (64, 32, 3, 3)  # fan in 288, fan out 576
DRAWS = [
    (init.kaiming_normal, {}, math.sqrt(2 / 288)),
    (init.kaiming_uniform, {}, math.sqrt(2 / 288)),
    (init.kaiming_normal, {"mode": "fan_out"}, math.sqrt(2 / 576)),
    (init.kaiming_uniform, {"a": 0.5}, math.sqrt(2 / 1.25 / 288)),
    (init.kaiming_normal, {"nonlinearity": "tanh"}, 5 / 3 / math.sqrt(288)),
    (init.xavier_normal, {}, math.sqrt(2 / 864)),
    (init.xavier_uniform, {}, math.sqrt(2 / 864)),
    (init.xavier_normal, {"gain": 3.0}, 3 * math.sqrt(2 / 864)),
]


@pytest.mark.parametrize(("draw", "options", "std"), DRAWS)
def test_spread(draw, options, std: float) -> None:
    weights = draw(SHAPE, **options, rng=Stream(0))
    assert weights.shape == SHAPE
    assert type(weights) is np.ndarray
    assert abs(np.std(weights) / std - 1) < 0.02
    assert abs(np.mean(weights)) < 0.03 * std
    if "uniform" in draw.__name__:
        assert np.max(np.abs(weights)) <= math.sqrt(3) * std


@pytest.mark.parametrize(("draw", "options", "std"), DRAWS[:2])
def test_the_stream_decides(draw, options, std: float) -> None:
    with use_stream(Stream(4)):
        one = draw((5, 4))
    np.testing.assert_array_equal(one, draw((5, 4), rng=Stream(4)))
    assert np.any(one != draw((5, 4), rng=Stream(5)))


@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gains_are_pytorchs(torch, nonlinearity: str) -> None:
    for a in (0.0, 0.3):
        theirs = torch.nn.init.calculate_gain(nonlinearity, a)
        assert math.isclose(init.calculate_gain(nonlinearity, a), theirs)


def test_refusals() -> None:
    with refused("two axes", "(5,)"):
        init.kaiming_normal((5,))
    with refused("mode", "'fan_avg'"):
        init.kaiming_uniform((5, 4), mode="fan_avg")
    with refused("nonlinearity", "'swish'"):
        init.kaiming_uniform((5, 4), nonlinearity="swish")
