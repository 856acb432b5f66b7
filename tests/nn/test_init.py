"""Initial weights: their spread, and that a stream decides them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.nn.spread import far_from_normal, far_from_uniform
from tests.refusals import refused
from xpconv import nn, use_backend
from xpconv.nn import init
from xpconv.random import Stream, current_stream, manual_seed, use_stream

SHAPE = (64, 32, 3, 3)  # fan in 288, fan out 576
DRAWS = [
    (init.kaiming_normal, {}, math.sqrt(2 / 288)),
    (init.kaiming_uniform, {}, math.sqrt(2 / 288)),
    (init.kaiming_normal, {"mode": "fan_out"}, math.sqrt(2 / 576)),
    (init.kaiming_uniform, {"mode": "fan_out"}, math.sqrt(2 / 576)),
    (init.kaiming_uniform, {"a": 0.5}, math.sqrt(2 / 1.25 / 288)),
    (init.kaiming_normal, {"a": math.sqrt(5)}, math.sqrt(2 / 6 / 288)),
    (init.kaiming_normal, {"a": 0.5, "nonlinearity": "relu"}, math.sqrt(2 / 288)),
    (init.kaiming_normal, {"nonlinearity": "tanh"}, 5 / 3 / math.sqrt(288)),
    (init.kaiming_uniform, {"nonlinearity": "linear"}, 1 / math.sqrt(288)),
    (init.xavier_normal, {}, math.sqrt(2 / 864)),
    (init.xavier_uniform, {}, math.sqrt(2 / 864)),
    (init.xavier_normal, {"gain": 3.0}, 3 * math.sqrt(2 / 864)),
    (init.xavier_uniform, {"gain": 0.5}, 0.5 * math.sqrt(2 / 864)),
]
SPREADS = pytest.mark.parametrize(("draw", "options", "std"), DRAWS)


@SPREADS
def test_spread(draw, options, std: float) -> None:
    weights = draw(SHAPE, **options, rng=Stream(0))
    assert weights.shape == SHAPE
    assert type(weights) is np.ndarray
    assert weights.dtype == np.float64
    assert abs(np.std(weights) / std - 1) < 0.02
    assert abs(np.mean(weights)) < 0.03 * std
    if "uniform" in draw.__name__:
        assert np.max(np.abs(weights)) <= math.sqrt(3) * std
        assert far_from_uniform(weights, math.sqrt(3) * std) < 1.95  # one sample in a thousand
    else:
        assert far_from_normal(weights, std) < 1.95


@SPREADS
def test_spread_is_pytorchs(torch, draw, options, std: float) -> None:
    torch.manual_seed(0)
    theirs = torch.empty(SHAPE, dtype=torch.float64)
    getattr(torch.nn.init, draw.__name__ + "_")(theirs, **options)
    assert abs(float(theirs.std()) / std - 1) < 0.02


@SPREADS
def test_the_stream_decides(draw, options, std: float) -> None:
    with use_stream(Stream(4)):
        one, next_one = draw((5, 4), **options), draw((5, 4), **options)
    np.testing.assert_array_equal(one, draw((5, 4), **options, rng=Stream(4)))
    assert np.any(one != next_one)
    assert np.any(one != draw((5, 4), **options, rng=Stream(5)))


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 5, 2), (2, 1, 3, 3, 3)])
def test_fans_are_pytorchs(torch, shape: tuple[int, ...]) -> None:
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init.fan_in_and_fan_out(shape) == theirs
    receptive = math.prod(shape[2:])
    assert theirs == (shape[1] * receptive, shape[0] * receptive)


@pytest.mark.parametrize(
    "nonlinearity",
    ["linear", "conv1d", "conv2d", "conv3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"],
)
def test_gains_are_pytorchs(torch, nonlinearity: str) -> None:
    theirs = torch.nn.init.calculate_gain(nonlinearity)
    assert math.isclose(init.calculate_gain(nonlinearity), theirs)
    for slope in (0.0, 0.3, math.sqrt(5)):
        theirs = torch.nn.init.calculate_gain(nonlinearity, slope)
        assert math.isclose(init.calculate_gain(nonlinearity, slope), theirs)


def test_plain_distributions() -> None:
    values = init.uniform((100, 100), -1.0, 3.0, rng=Stream(1))
    assert np.min(values) >= -1
    assert np.max(values) < 3
    assert far_from_uniform(values - 1, 2.0) < 1.95
    values = init.normal((100, 100), 5.0, 0.5, rng=Stream(1))
    assert far_from_normal(values - 5, 0.5) < 1.95
    np.testing.assert_array_equal(init.constant((2, 3), 4.0), np.full((2, 3), 4.0))
    assert init.constant((), 0.0).shape == ()


def test_a_constant_takes_nothing_from_the_stream() -> None:
    with use_stream(Stream(2)) as stream:
        before = stream.state_dict()
        init.constant((3,), 1.0)
        nn.BatchNorm2d(3)
        assert stream.state_dict() == before


def test_refusals() -> None:
    with refused("two axes", "(5,)"):
        init.kaiming_normal((5,))
    with refused("two axes", "()"):
        init.xavier_uniform(())
    with refused("mode", "'fan_avg'"):
        init.kaiming_uniform((5, 4), mode="fan_avg")
    with refused("nonlinearity", "'swish'"):
        init.kaiming_uniform((5, 4), nonlinearity="swish")


# --- the layers' own first weights -----------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda **rng: nn.Conv1d(8, 64, 5, **rng), 40),
        (lambda **rng: nn.Conv2d(8, 64, 3, groups=2, **rng), 36),
        (lambda **rng: nn.Conv3d(8, 64, (1, 2, 3), **rng), 48),
        (lambda **rng: nn.Linear(100, 200, **rng), 100),
    ],
)
def test_layers_are_drawn_evenly_within_one_over_the_root_of_fan_in(make, fan_in: int) -> None:
    layer, bound = make(rng=Stream(0)), fan_in**-0.5
    for values in layer.state_dict().values():
        assert np.max(np.abs(values)) <= np.float32(bound)
        assert far_from_uniform(values, bound) < 1.95
    assert abs(np.var(layer.weight) / (bound**2 / 3) - 1) < 0.1


def test_a_seed_decides_a_whole_model() -> None:
    def model() -> list[np.ndarray]:
        net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Residual(nn.Linear(3, 3)))
        return list(net.state_dict().values())

    state = current_stream().state_dict()
    try:
        manual_seed(9)
        one, two = model(), model()
        manual_seed(9)
        again = model()
    finally:
        current_stream().load_state_dict(state)
    for a, b, c in zip(one, again, two, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.all(a != c)


@pytest.mark.parametrize(
    "make",
    [
        lambda **rng: nn.Conv1d(2, 3, 3, **rng),
        lambda **rng: nn.Conv2d(2, 3, 3, **rng),
        lambda **rng: nn.Conv3d(2, 3, 3, **rng),
        lambda **rng: nn.Linear(2, 3, **rng),
    ],
)
def test_a_layers_own_stream_leaves_the_current_one_alone(make) -> None:
    with use_stream(Stream(8)) as stream:
        before = stream.state_dict()
        own = make(rng=Stream(8)).state_dict()
        assert stream.state_dict() == before
        current = make().state_dict()
    for key, value in own.items():
        np.testing.assert_array_equal(value, current[key])


def test_initialisers_fill_a_model_anywhere(backend) -> None:
    """The way to other initial weights: draw on the host, bring them over, update by name."""
    with use_backend(backend.spec) as there:
        model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        weights = {
            key: there.asarray(init.xavier_normal(value.shape, rng=Stream(1)), dtype="float32")
            for key, value in model.parameters().items()
            if value.ndim > 1
        }
    model.update(weights)
    backend.assert_equal(
        model[1].weight, init.xavier_normal((2, 3), rng=Stream(1)).astype("float32")
    )
