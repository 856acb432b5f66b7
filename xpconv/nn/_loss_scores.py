"""Losses of classes and of yes-or-no questions."""

from __future__ import annotations

from typing import Any

from .. import ops
from ._loss import Loss


class CrossEntropyLoss(Loss):
    """Cross entropy from logits; see `xpconv.ops.cross_entropy`.

    Parameters
    ----------
    weight : array, shape (C,), optional
        How much each class counts.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    label_smoothing : float, default 0.0
        Share of the probability that is spread evenly over all classes.
    """

    _op = staticmethod(ops.cross_entropy)


class NLLLoss(Loss):
    """Negative log-probability of the true class; see `xpconv.ops.nll_loss`.

    Parameters
    ----------
    weight : array, shape (C,), optional
        How much each class counts.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.nll_loss)


class FocalLoss(Loss):
    """Cross entropy that cares less for what is classified well; see `xpconv.ops.focal_loss`.

    Parameters
    ----------
    weight : array, shape (C,), optional
        How much each class counts.
    gamma : float, default 2.0
        How little well classified rows count.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.focal_loss)


class SigmoidFocalLoss(Loss):
    """Binary cross entropy that cares less for what is classified well.

    See `xpconv.ops.sigmoid_focal_loss`.

    Parameters
    ----------
    alpha : float, default 0.25
        Weight of "yes", against 1 - alpha of "no"; -1 for neither.
    gamma : float, default 2.0
        How little well classified elements count.
    reduction : {"none", "mean", "sum"}, default "none"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.sigmoid_focal_loss)


class BCELoss(Loss):
    """Binary cross entropy from probabilities; see `xpconv.ops.binary_cross_entropy`.

    Parameters
    ----------
    weight : array, optional
        Factor of each element.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.binary_cross_entropy)


class BCEWithLogitsLoss(Loss):
    """Binary cross entropy from logits; see `xpconv.ops.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : array, optional
        Factor of each element.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    pos_weight : array, optional
        Factor of the "yes" part.
    """

    _op = staticmethod(ops.binary_cross_entropy_with_logits)


class DiceLoss(Loss):
    """How little masks overlap; see `xpconv.ops.dice_loss`.

    Parameters
    ----------
    smooth : float, default 1.0
        Added above and below the line.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.dice_loss)


class MultiMarginLoss(Loss):
    """What the true class lacks to beat the others by a margin.

    See `xpconv.ops.multi_margin_loss`.

    Parameters
    ----------
    p : {1, 2}, default 1
        Power of what is missing.
    margin : float, default 1.0
        The distance asked for.
    weight : array, shape (C,), optional
        How much each class counts.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.multi_margin_loss)

    def _check(self, options: dict[str, Any]) -> None:
        if options["p"] not in (1, 2):
            raise ValueError(f"only p == 1 and p == 2 supported, got p={options['p']}")


class MultiLabelMarginLoss(Loss):
    """What the true classes lack to beat all others by 1.

    See `xpconv.ops.multilabel_margin_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(Loss):
    """Mean over the classes of binary cross entropies.

    See `xpconv.ops.multilabel_soft_margin_loss`.

    Parameters
    ----------
    weight : array, shape (C,), optional
        Factor of each class.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.multilabel_soft_margin_loss)


class SoftMarginLoss(Loss):
    """Logistic loss of answers 1 and -1; see `xpconv.ops.soft_margin_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    """

    _op = staticmethod(ops.soft_margin_loss)
