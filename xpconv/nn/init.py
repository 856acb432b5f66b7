"""Initial weights, drawn on the host: the same seed gives the same weights on every backend.

Every function takes a shape in PyTorch's weight layout, (O, I, ...), and a stream of random
numbers, and returns a float64 array of the host.
"""

from __future__ import annotations

import math

from .._typing import Array
from ..backend import get_backend
from ..random import Stream, current_stream

__all__ = [
    "calculate_gain",
    "constant",
    "fan_in_and_fan_out",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
]


def fan_in_and_fan_out(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many numbers enter and leave one unit of a weight (O, I, ...).

    Raises
    ------
    ValueError
        If the shape has fewer than two dimensions.
    """
    if len(shape) < 2:
        raise ValueError(f"fan in and fan out need a weight of at least two axes, got {shape}")
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def calculate_gain(nonlinearity: str = "relu", param: float | None = None) -> float:
    """Return the factor that keeps the variance through a nonlinearity.

    Parameters
    ----------
    nonlinearity : str
        What follows the layer: ``"linear"``, ``"conv1d"`` to ``"conv3d"``, ``"sigmoid"``,
        ``"tanh"``, ``"relu"``, ``"leaky_relu"`` or ``"selu"``.
    param : float, optional
        Negative slope of the leaky relu, by default 0.01.

    Returns
    -------
    float
        As ``torch.nn.init.calculate_gain``.

    Raises
    ------
    ValueError
        If the nonlinearity is none of these.
    """
    slope = 0.01 if param is None else param
    gains = {
        "linear": 1.0,
        "conv1d": 1.0,
        "conv2d": 1.0,
        "conv3d": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + slope * slope)),
        "selu": 3 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(f"nonlinearity must be one of {sorted(gains)}, got {nonlinearity!r}")
    return gains[nonlinearity]


def uniform(
    shape: tuple[int, ...], low: float = 0.0, high: float = 1.0, *, rng: Stream | None = None
) -> Array:
    """Draw evenly from [low, high)."""
    return (rng or current_stream()).generator.uniform(low, high, shape)


def normal(
    shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0, *, rng: Stream | None = None
) -> Array:
    """Draw from a normal distribution."""
    return (rng or current_stream()).generator.normal(mean, std, shape)


def constant(shape: tuple[int, ...], value: float) -> Array:
    """Fill with one number."""
    return get_backend("numpy").xp.full(shape, float(value))


def _kaiming_std(shape: tuple[int, ...], a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fan_in_and_fan_out(shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_normal(
    shape: tuple[int, ...],
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Stream | None = None,
) -> Array:
    r"""Draw from a normal distribution that keeps the variance through rectifiers.

    Parameters
    ----------
    shape : tuple of int
        (O, I, ...).
    a : float, default 0.0
        Negative slope of the leaky relu that follows; 0 is a relu.
    mode : {"fan_in", "fan_out"}, default "fan_in"
        Keep the variance forward or on the way back.
    nonlinearity : str, default "leaky_relu"
        See `calculate_gain`.
    rng : Stream, optional
        Source of the numbers; by default the current stream.

    Returns
    -------
    array of float64 on the host

    Notes
    -----
    :math:`\sigma = g / \sqrt{\mathrm{fan}}`. He, Zhang, Ren and Sun, "Delving deep into
    rectifiers" (2015).
    """
    return normal(shape, 0.0, _kaiming_std(shape, a, mode, nonlinearity), rng=rng)


def kaiming_uniform(
    shape: tuple[int, ...],
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Stream | None = None,
) -> Array:
    r"""Draw evenly from :math:`\pm\sqrt3\,\sigma` with the :math:`\sigma` of `kaiming_normal`.

    Parameters and result are those of `kaiming_normal`.
    """
    bound = math.sqrt(3) * _kaiming_std(shape, a, mode, nonlinearity)
    return uniform(shape, -bound, bound, rng=rng)


def _xavier_std(shape: tuple[int, ...], gain: float) -> float:
    return gain * math.sqrt(2 / max(sum(fan_in_and_fan_out(shape)), 1))


def xavier_normal(shape: tuple[int, ...], gain: float = 1.0, *, rng: Stream | None = None) -> Array:
    r"""Draw from a normal distribution that keeps the variance through linear layers both ways.

    Parameters
    ----------
    shape : tuple of int
        (O, I, ...).
    gain : float, default 1.0
        See `calculate_gain`.
    rng : Stream, optional
        Source of the numbers; by default the current stream.

    Returns
    -------
    array of float64 on the host

    Notes
    -----
    :math:`\sigma = g \sqrt{2 / (\mathrm{fan_{in}} + \mathrm{fan_{out}})}`. Glorot and Bengio,
    "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    return normal(shape, 0.0, _xavier_std(shape, gain), rng=rng)


def xavier_uniform(
    shape: tuple[int, ...], gain: float = 1.0, *, rng: Stream | None = None
) -> Array:
    r"""Draw evenly from :math:`\pm\sqrt3\,\sigma` with the :math:`\sigma` of `xavier_normal`.

    Parameters and result are those of `xavier_normal`.
    """
    bound = math.sqrt(3) * _xavier_std(shape, gain)
    return uniform(shape, -bound, bound, rng=rng)
