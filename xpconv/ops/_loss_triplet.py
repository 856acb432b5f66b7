"""Losses of triplets: an anchor should be closer to the positive than to the negative."""

from __future__ import annotations

from collections.abc import Callable

from .._arrays import namespace
from .._typing import Array, Namespace, Pullback
from ._broadcast import broadcast_shape, sum_to
from ._distance import pairwise_distance
from ._loss_operands import loss_rule, operands
from ._loss_reduce import constant, reduce
from ._registry import differentiable, vjp


def _triplet(
    arrays: list[Array],
    margin: float,
    swap: bool,
    reduction: str,
    distance: Callable[..., Array],
    **options: float,
) -> tuple[Array, Pullback]:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    anchor, positive, negative = arrays
    named = {"anchor": anchor, "positive": positive, "negative": negative}
    dimensions = {name: array.ndim for name, array in named.items()}
    if len(set(dimensions.values())) > 1:
        raise ValueError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            "dimensions, but got: "
            + ", ".join(f"{name} {count}D" for name, count in dimensions.items())
        )
    broadcast_shape(**named)
    xp = namespace(anchor=anchor)
    near, near_back = vjp(distance, anchor, positive, **options)
    far, far_back = vjp(distance, anchor, negative, **options)
    nearest = far
    if swap:
        other, other_back = vjp(distance, positive, negative, **options)
        nearest = xp.minimum(far, other)
    missing = margin + near - nearest
    y, spread = reduce(xp, xp.maximum(missing, constant(xp, 0, missing)), reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        push = spread(dy) * xp.astype(missing >= 0, missing.dtype)

        def through(back: Pullback, d: Array, share: Array) -> tuple[Array, ...]:
            return back(sum_to(xp, push * share, tuple(d.shape)))

        danchor, dpositive = through(near_back, near, constant(xp, 1, near))
        # Of two equal distances each takes half, as in PyTorch.
        first = constant(xp, 1, far) if not swap else _share(xp, far, other)
        dfrom, dnegative = through(far_back, far, -first)
        if not swap:
            return danchor + dfrom, dpositive, dnegative
        dback, dagain = through(other_back, other, first - 1)
        return danchor + dfrom, dpositive + dback, dnegative + dagain

    return y, pullback


def _share(xp: Namespace, x: Array, other: Array) -> Array:
    """How much of the cotangent of ``minimum(x, other)`` goes to x."""
    return 0.5 * (xp.astype(x < other, x.dtype) + xp.astype(x <= other, x.dtype))


@loss_rule
def _triplet_margin_loss_vjp(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    _, arrays = operands(
        integers="float32", complexes=True, anchor=anchor, positive=positive, negative=negative
    )
    return _triplet(arrays, margin, swap, reduction, pairwise_distance, p=p, eps=eps)


@differentiable(_triplet_margin_loss_vjp)
def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    r"""Ask that an anchor is closer to the positive than to the negative, by a margin.

    Parameters
    ----------
    anchor, positive, negative : array, shape (N, D) or (D,)
        Vectors along the last axis; equally many axes, which broadcast. Floating or complex dtype,
        or integers, which are computed in float32.
    margin : float, default 1.0
        The difference of distances asked for.
    p : float, default 2.0
        Which norm is the distance.
    eps : float, default 1e-6
        Added to each difference, see `pairwise_distance`.
    swap : bool, default False
        Take the distance from the positive to the negative where that is smaller.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the triplets' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N,)
        Real. Counterpart of ``torch.nn.functional.triplet_margin_loss``.

    Raises
    ------
    ValueError
        If shapes do not broadcast or ``margin`` is not positive.

    Notes
    -----
    :math:`\max(0, m + d(a, p) - d(a, n))` (Balntas et al., "Learning local feature descriptors
    with triplets and shallow convolutional neural networks", 2016).
    """
    return _triplet_margin_loss_vjp(anchor, positive, negative, margin, p, eps, swap, reduction)[0]


@loss_rule
def _triplet_margin_with_distance_loss_vjp(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    distance_function: Callable[[Array, Array], Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    _, arrays = operands(
        integers="float32", complexes=True, anchor=anchor, positive=positive, negative=negative
    )
    return _triplet(arrays, margin, swap, reduction, distance_function or pairwise_distance)


@differentiable(_triplet_margin_with_distance_loss_vjp)
def triplet_margin_with_distance_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    distance_function: Callable[[Array, Array], Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    """`triplet_margin_loss` with a distance of your own.

    Parameters
    ----------
    anchor, positive, negative : array
        What the distance takes; equally many axes, which broadcast.
    distance_function : callable, default `pairwise_distance`
        A differentiable operation of two arrays.
    margin : float, default 1.0
        The difference of distances asked for.
    swap : bool, default False
        Take the distance from the positive to the negative where that is smaller.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the triplets' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of the distances
        Counterpart of ``torch.nn.functional.triplet_margin_with_distance_loss``.

    Raises
    ------
    ValueError
        If shapes do not broadcast or ``margin`` is not positive.
    TypeError
        If ``distance_function`` is not a differentiable operation.
    """
    return _triplet_margin_with_distance_loss_vjp(
        anchor,
        positive,
        negative,
        distance_function=distance_function,
        margin=margin,
        swap=swap,
        reduction=reduction,
    )[0]
