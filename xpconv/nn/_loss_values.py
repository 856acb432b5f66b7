"""Losses of numbers, densities and distances."""

from __future__ import annotations

from typing import Any

from .. import ops
from ._loss import Loss


def _positive(margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


class MSELoss(Loss, without="weight"):
    """Mean squared error; see `xpconv.ops.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.mse_loss)


class L1Loss(Loss, without="weight"):
    """Mean absolute error; see `xpconv.ops.l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.l1_loss)


class SmoothL1Loss(Loss):
    """Squares of small differences, absolute values of large ones.

    See `xpconv.ops.smooth_l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    beta : float, default 1.0
        Where the parabola ends.
    """

    _op = staticmethod(ops.smooth_l1_loss)


class HuberLoss(Loss, without="weight"):
    """Squares of small differences, continued in straight lines; see `xpconv.ops.huber_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    delta : float, default 1.0
        Where the parabola ends.
    """

    _op = staticmethod(ops.huber_loss)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts; see `xpconv.ops.poisson_nll_loss`.

    Parameters
    ----------
    log_input : bool, default True
        Whether the input is the logarithm of the expected counts.
    full : bool, default False
        Add Stirling's approximation of the constant.
    eps : float, default 1e-8
        Added to the expected counts before their logarithm is taken.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.poisson_nll_loss)


class GaussianNLLLoss(Loss):
    """Negative log-likelihood of numbers; it is called with (input, target, var).

    See `xpconv.ops.gaussian_nll_loss`.

    Parameters
    ----------
    full : bool, default False
        Add the constant term.
    eps : float, default 1e-6
        Smallest variance.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.gaussian_nll_loss)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence from log-probabilities; see `xpconv.ops.kl_div`.

    Parameters
    ----------
    reduction : {"mean", "batchmean", "sum", "none"}, default "mean"
        What to do with the elements; ``"batchmean"`` is the divergence of mathematics.
    log_target : bool, default False
        Whether the target is a logarithm, too.
    """

    _op = staticmethod(ops.kl_div)
    _reductions = ("none", "mean", "sum", "batchmean")


class HingeEmbeddingLoss(Loss):
    """Distances of pairs that are alike (1) or not (-1); see `xpconv.ops.hinge_embedding_loss`.

    Parameters
    ----------
    margin : float, default 1.0
        The distance asked for where a pair is not alike.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.hinge_embedding_loss)


class MarginRankingLoss(Loss):
    """Which of two scores is larger; it is called with (input1, input2, target).

    See `xpconv.ops.margin_ranking_loss`.

    Parameters
    ----------
    margin : float, default 0.0
        The distance asked for.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.margin_ranking_loss)


class CosineEmbeddingLoss(Loss):
    """Angles of pairs; it is called with (input1, input2, target).

    See `xpconv.ops.cosine_embedding_loss`.

    Parameters
    ----------
    margin : float, default 0.0
        The cosine that pairs which are not alike may have.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.cosine_embedding_loss)


class TripletMarginLoss(Loss):
    """Distances to a positive and a negative; it is called with (anchor, positive, negative).

    See `xpconv.ops.triplet_margin_loss`.

    Parameters
    ----------
    margin : float, default 1.0
        The difference of distances asked for.
    p : float, default 2.0
        Order of the norm.
    eps : float, default 1e-6
        Added to every difference.
    swap : bool, default False
        Take the distance from positive to negative where that is smaller.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.triplet_margin_loss)

    def _check(self, options: dict[str, Any]) -> None:
        _positive(options["margin"])


class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` with a distance of your own.

    See `xpconv.ops.triplet_margin_with_distance_loss`.

    Parameters
    ----------
    distance_function : callable, default `xpconv.ops.pairwise_distance`
        A differentiable operation of two arrays.
    margin : float, default 1.0
        The difference of distances asked for.
    swap : bool, default False
        Take the distance from positive to negative where that is smaller.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.triplet_margin_with_distance_loss)

    def _check(self, options: dict[str, Any]) -> None:
        _positive(options["margin"])
