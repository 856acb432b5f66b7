"""Operations: pure functions on arrays, each with its way back.

``y = conv2d(x, weight)`` computes forward and keeps nothing; ``y, pullback = vjp(conv2d, x,
weight)`` also returns the way back. Inputs are never changed; results have the library, the device
and the dtype of the input.
"""

from __future__ import annotations

from .._shapes import conv_output_size as conv_output_size
from ._activation import (
    gelu as gelu,
    leaky_relu as leaky_relu,
    log_softmax as log_softmax,
    relu as relu,
    sigmoid as sigmoid,
    silu as silu,
    softmax as softmax,
    tanh as tanh,
)
from ._avg_pool import avg_pool1d as avg_pool1d, avg_pool2d as avg_pool2d, avg_pool3d as avg_pool3d
from ._conv import conv1d as conv1d, conv2d as conv2d, conv3d as conv3d
from ._conv_transpose import (
    conv_transpose1d as conv_transpose1d,
    conv_transpose2d as conv_transpose2d,
    conv_transpose3d as conv_transpose3d,
)
from ._correlate import convolve2d as convolve2d, correlate2d as correlate2d
from ._dropout import (
    alpha_dropout as alpha_dropout,
    dropout as dropout,
    dropout1d as dropout1d,
    dropout2d as dropout2d,
    dropout3d as dropout3d,
    feature_alpha_dropout as feature_alpha_dropout,
    stochastic_depth as stochastic_depth,
)
from ._global_pool import global_avg_pool as global_avg_pool, global_max_pool as global_max_pool
from ._group_norm import group_norm as group_norm
from ._join import add as add, concat as concat, multiply as multiply
from ._layer_norm import layer_norm as layer_norm, rms_norm as rms_norm
from ._linear import linear as linear
from ._local_response_norm import local_response_norm as local_response_norm
from ._loss import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    cross_entropy as cross_entropy,
    labels_checked as labels_checked,
    mse_loss as mse_loss,
)
from ._max_pool import max_pool1d as max_pool1d, max_pool2d as max_pool2d, max_pool3d as max_pool3d
from ._norm import batch_norm as batch_norm, instance_norm as instance_norm
from ._pad import pad as pad
from ._registry import registered as registered, vjp as vjp
from ._reshape import flatten as flatten
from ._windows import col2im as col2im, fold as fold, im2col as im2col, unfold as unfold

__all__ = [
    "add",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "col2im",
    "concat",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_output_size",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolve2d",
    "correlate2d",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "flatten",
    "fold",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "im2col",
    "instance_norm",
    "labels_checked",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mse_loss",
    "multiply",
    "pad",
    "registered",
    "relu",
    "rms_norm",
    "sigmoid",
    "silu",
    "softmax",
    "stochastic_depth",
    "tanh",
    "unfold",
    "vjp",
]
