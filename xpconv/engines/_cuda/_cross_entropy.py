"""Softmax cross entropy of class labels: ``source/cross_entropy.cuh``."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from ..._typing import Array
from ._launch import BLOCK, c_type, index_dtype, index_type, launch, launch_blocks, number
from ._pools import channels_first_empty, channels_last_view

_BLOCKS = 2**16


class _Rows(NamedTuple):
    """Logits as (outer, C, inner) without gaps, and how many rows of classes they are."""

    logits: Array
    rows: int
    classes: int
    inner: int
    last: bool  # whether they lie in channels-last memory


def cross_entropy(
    logits: Array,
    labels: Array,
    counts: Array,
    own: Array,
    weight: Array | None,
    label_smoothing: float,
) -> tuple[Array, Array | None, Array]:
    """Return each row's loss, what smoothing adds to it, and what the way back needs of the logits.

    Parameters
    ----------
    logits : array, shape (N, C, ...) or (C,)
        Scores; not empty.
    labels : array of int64, shape (N, 1, ...) or (1,)
        The true classes, all in range.
    counts : array of bool
        Which rows count; of the shape of ``labels``, as ``own`` and the losses.
    own : array
        What each row's label weighs, in the dtype that is computed in, as ``weight``.
    weight : array, shape (C,), or None
        What all classes weigh.
    """
    xp = array_namespace(logits)
    given = _rows(logits)
    loss = xp.empty(labels.shape, dtype=own.dtype, device=device(logits))
    kept = xp.empty((2, given.rows), dtype=own.dtype, device=device(logits))
    others = xp.empty_like(loss) if label_smoothing else None
    lanes = 1
    if given.inner == 1:
        lanes = min(BLOCK, 1 << max(0, (given.classes - 1).bit_length() - 1))
    index = index_type(logits.size)
    blocks = min(-(-given.rows // (BLOCK // lanes)), _BLOCKS)
    launch_blocks(
        "cross_entropy",
        "cross_entropy",
        (c_type(logits), index),
        (blocks,),
        logits,
        given.logits,
        *map(xp.ascontiguousarray, (labels, counts, own)),
        weight if weight is None else xp.ascontiguousarray(weight),
        loss,
        others,
        kept,
        *map(index_dtype(index), (given.rows, given.classes, given.inner)),
        number(logits, label_smoothing),
        np.int32(lanes),
    )
    return loss, others, kept


def cross_entropy_grad(
    logits: Array,
    labels: Array,
    counts: Array,
    own: Array,
    weight: Array | None,
    label_smoothing: float,
    kept: Array,
    share: Array,
) -> Array:
    """Return the gradient of the logits, with the cotangent of each row's loss in ``share``."""
    xp = array_namespace(logits)
    given = _rows(logits)
    if given.last:
        dlogits, written = channels_first_empty(xp, logits, logits.shape[2:], logits.dtype)
    else:
        dlogits = written = xp.empty(logits.shape, dtype=logits.dtype, device=device(logits))
    index = index_type(logits.size)
    launch(
        "cross_entropy",
        "cross_entropy_grad",
        (c_type(logits), index),
        logits.size,
        logits,
        given.logits,
        *map(xp.ascontiguousarray, (labels, counts, own)),
        weight if weight is None else xp.ascontiguousarray(weight),
        weight if weight is None else xp.sum(weight, keepdims=True),
        kept,
        xp.ascontiguousarray(share),
        written,
        *map(index_dtype(index), (given.rows, given.classes, given.inner)),
        number(logits, label_smoothing),
    )
    return dlogits


def _rows(logits: Array) -> _Rows:
    xp = array_namespace(logits)
    if logits.ndim == 1:
        return _Rows(xp.ascontiguousarray(logits), 1, logits.shape[0], 1, False)
    batch, classes, *spatial = logits.shape
    inner = math.prod(spatial)
    last = channels_last_view(logits)
    if last.flags.c_contiguous:
        return _Rows(last, batch * inner, classes, 1, True)
    return _Rows(xp.ascontiguousarray(logits), batch * inner, classes, inner, False)
