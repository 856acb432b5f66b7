"""Resampling of signals, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

from array_api_compat import device

from .._arrays import add_at, is_complex, is_floating, itemsize, namespace
from .._late import from_host
from .._shapes import integer, possible
from .._typing import Array, Namespace, Pullback
from ._adaptive_avg_pool import adaptive_avg_pool_vjp
from ._layout import channels_first, channels_last
from ._pool_windows import require_elements
from ._precision import in_single, rule_in_single
from ._registry import differentiable
from ._resample_bytes import resampled_bytes
from ._resample_taps import Taps, taps, transposed

# mode -> the kind of taps, and the number of spatial dimensions that it is for (0: any)
_MODES = {
    "nearest": ("nearest", 0),
    "nearest-exact": ("nearest-exact", 0),
    "linear": ("linear", 1),
    "bilinear": ("linear", 2),
    "trilinear": ("linear", 3),
    "bicubic": ("cubic", 2),
    "area": ("area", 0),
}
_WITH_CORNERS = ("linear", "bilinear", "trilinear", "bicubic")

Size = int | Sequence[int] | None
Scale = float | Sequence[float] | None


class _Plan(NamedTuple):
    """What is to be done: the kind of taps, sizes, given scales."""

    kind: str
    out: tuple[int, ...]
    scales: tuple[float | None, ...]
    align_corners: bool

    def taps(self, x: Array, single: bool) -> list[Taps | None]:
        """The taps of each spatial axis."""
        sizes = zip(x.shape[2:], self.out, self.scales, strict=True)
        dims = len(self.out)
        return [taps(self.kind, dims, *row, self.align_corners, single) for row in sizes]


def _plan(
    x: Array,
    size: Size,
    scale_factor: Scale,
    mode: str,
    align_corners: bool | None,
    recompute_scale_factor: bool | None,
    antialias: bool,
) -> _Plan:
    """Check the arguments."""
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(_MODES)}, got {mode!r}")
    kind, wanted = _MODES[mode]
    dims = x.ndim - 2
    if dims not in (1, 2, 3) or wanted not in (0, dims):
        needed = f"{wanted + 2}-D input" if wanted else "3-D, 4-D or 5-D input"
        raise ValueError(f"mode {mode!r} needs {needed} (N, C, ...), got shape {tuple(x.shape)}")
    if mode not in _WITH_CORNERS and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: "
            f"{' | '.join(_WITH_CORNERS)}, got mode {mode!r}"
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"antialias is restricted to bilinear and bicubic modes, got {mode!r}")
    out, scales = _sizes(x, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if recompute_scale_factor or kind == "area":
        scales = (None,) * dims
    if kind != "area":
        require_elements(x, range(1, x.ndim))
        if min(out) < 1:
            raise ValueError(
                "Input and output sizes should be greater than 0, but got input "
                f"{tuple(x.shape[2:])} and output {out}"
            )
    possible("the result", (*x.shape[:2], *out))
    return _Plan(f"antialias-{kind}" if antialias else kind, out, scales, bool(align_corners))


def _sizes(
    x: Array, size: Size, scale_factor: Scale
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """Output size, and the scales that the user gave."""
    spatial = tuple(x.shape[2:])
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        given = _spread(size, len(spatial), "size")
        return tuple(integer(out, "size") for out in given), (None,) * len(spatial)
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    factors = _spread(scale_factor, len(spatial), "scale_factor")
    for factor in factors:
        if not isinstance(factor, Real):
            raise TypeError(f"scale_factor must be a number, got {factor!r}")
        if not math.isfinite(factor):
            raise ValueError(f"scale_factor must be finite, got {factor!r}")
    scales = tuple(map(float, factors))
    return tuple(int(n * scale) for n, scale in zip(spatial, scales, strict=True)), scales


def _spread(value: Any, dims: int, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        return (value,) * dims
    if len(value) != dims:
        raise ValueError(
            f"{name} must be a number or a tuple of {dims}, one per spatial dimension of x, "
            f"got {value!r}"
        )
    return tuple(value)


def _resampled(xp: Namespace, x: Array, ways: Sequence[Taps | None]) -> Array:
    """Resample ``x`` (N, C, ...) along its spatial axes, the last one first."""
    last = channels_last(xp, x)  # runs of C numbers move together
    # Each tap would copy what is not contiguous: lay it out once (no copy where it is).
    last = xp.reshape(xp.reshape(last, (-1,)), last.shape)
    for axis, way in reversed(list(enumerate(ways, 1))):
        if way is not None:
            last = _along(xp, last, axis, way)
    if last.shape == x.shape and all(way is None for way in ways):
        return xp.asarray(x, copy=True)
    return channels_first(xp, last)


def _along(xp: Namespace, x: Array, axis: int, way: Taps) -> Array:
    """Sum the taps of every output along one axis."""
    home, total = device(x), None
    for k, places in enumerate(way.places):
        part = xp.take(x, from_host(xp, places, xp.int64, home), axis=axis)
        if way.weights is not None:
            weight = from_host(xp, way.weights[k], x.dtype, home)
            part = part * xp.reshape(weight, (-1, *(1,) * (x.ndim - 1 - axis)))
        total = part if total is None else add_at(total, ..., part)
    return total


def _resampled_bytes(xp: Namespace, x: Array, mode: str, plan: _Plan) -> Array:
    """Resample uint8, which PyTorch's CPU does in some modes; refuse other dtypes."""
    if x.dtype != xp.uint8 or mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise TypeError(f"x must have a real floating dtype for mode {mode!r}, got {x.dtype}")
    if plan.kind.startswith("nearest"):
        return _resampled(xp, x, plan.taps(x, single=True))
    return resampled_bytes(xp, x, plan.taps(x, single=False))


@rule_in_single
def _interpolate_vjp(
    x: Array,
    size: Size = None,
    scale_factor: Scale = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    plan = _plan(x, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
    if is_complex(x) or not is_floating(x):
        return _resampled_bytes(xp, x, mode, plan), lambda dy: (None,)
    if plan.kind == "area":
        return adaptive_avg_pool_vjp(len(plan.out), x, plan.out)
    ways = plan.taps(x, single=itemsize(x.dtype) < 8)
    back = [None if way is None else transposed(way) for way in ways]
    return _resampled(xp, x, ways), lambda dy: (_resampled(xp, dy, back),)


@differentiable(_interpolate_vjp)
@in_single
def interpolate(
    x: Array,
    size: Size = None,
    scale_factor: Scale = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Array:
    r"""Resample signals, images or volumes to another size.

    Parameters
    ----------
    x : array, shape (N, C, L), (N, C, H, W) or (N, C, D, H, W)
        Real floating dtype; uint8 in the modes nearest, nearest-exact, bilinear and bicubic.
    size : int or tuple of int, optional
        Spatial size of the result.
    scale_factor : float or tuple of float, optional
        Or how many times as large the result is, rounded down. One of the two must be given.
    mode : str, default "nearest"
        "nearest", "nearest-exact" and "area" in any dimension; "linear" in one, "bilinear" and
        "bicubic" in two, "trilinear" in three.
    align_corners : bool, optional
        In the (bi-, tri-)linear and cubic modes, whether the centres of the corner pixels stay
        where they are; by default (False) their outer edges do.
    recompute_scale_factor : bool, optional
        Whether coordinates follow from the resulting size instead of from ``scale_factor`` itself;
        both differ where the size was rounded.
    antialias : bool, default False
        With "bilinear" and "bicubic": widen the kernel where the result is smaller, as Pillow does.

    Returns
    -------
    array, shape (N, C, *size)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If options do not fit each other or the shape of ``x``, or the result would be empty.
    TypeError
        If the dtype is not for the mode.

    Notes
    -----
    Output :math:`o` lies at :math:`s (o + 1/2) - 1/2` among the inputs, or at :math:`s o` with
    ``align_corners``, where :math:`s` is the ratio of the sizes (less one), or
    ``1 / scale_factor``. It is a weighted sum of its neighbours there: of one (nearest), two
    (linear), four (cubic: Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981,
    with a = -0.75; -0.5 with ``antialias``) along each axis; "area" is `adaptive_avg_pool2d`.
    "nearest" takes the element at or before :math:`s o`, in single precision as PyTorch.
    Counterpart of ``torch.nn.functional.interpolate``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1.0, 5.0]]])
    >>> interpolate(x, scale_factor=2)
    array([[[1., 1., 5., 5.]]])
    >>> interpolate(x, 4, mode="linear")
    array([[[1., 2., 4., 5.]]])
    """
    return _interpolate_vjp(
        x, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias
    )[0]
