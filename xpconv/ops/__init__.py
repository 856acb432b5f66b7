"""Operations: pure functions on arrays, each with its way back.

``y = conv2d(x, weight)`` computes forward and keeps nothing; ``y, pullback = vjp(conv2d, x,
weight)`` also returns the way back. Inputs are never changed; results have the library, the device
and the dtype of the input.
"""

from __future__ import annotations

from .._shapes import conv_output_size as conv_output_size
from ._activation_clipped import (
    hardshrink as hardshrink,
    hardsigmoid as hardsigmoid,
    hardswish as hardswish,
    hardtanh as hardtanh,
    relu6 as relu6,
    softshrink as softshrink,
)
from ._activation_exponential import celu as celu, elu as elu, selu as selu
from ._activation_gated import gelu as gelu, glu as glu, mish as mish, silu as silu
from ._activation_rectified import (
    leaky_relu as leaky_relu,
    prelu as prelu,
    relu as relu,
    rrelu as rrelu,
    threshold as threshold,
)
from ._activation_sigmoid import (
    logsigmoid as logsigmoid,
    sigmoid as sigmoid,
    softplus as softplus,
    softsign as softsign,
    tanh as tanh,
    tanhshrink as tanhshrink,
)
from ._activation_softmax import (
    gumbel_softmax as gumbel_softmax,
    log_softmax as log_softmax,
    softmax as softmax,
    softmin as softmin,
)
from ._adaptive_avg_pool import (
    adaptive_avg_pool1d as adaptive_avg_pool1d,
    adaptive_avg_pool2d as adaptive_avg_pool2d,
    adaptive_avg_pool3d as adaptive_avg_pool3d,
)
from ._adaptive_max_pool import (
    adaptive_max_pool1d as adaptive_max_pool1d,
    adaptive_max_pool2d as adaptive_max_pool2d,
    adaptive_max_pool3d as adaptive_max_pool3d,
)
from ._avg_pool import avg_pool1d as avg_pool1d, avg_pool2d as avg_pool2d, avg_pool3d as avg_pool3d
from ._conv import conv1d as conv1d, conv2d as conv2d, conv3d as conv3d
from ._conv_transpose import (
    conv_transpose1d as conv_transpose1d,
    conv_transpose2d as conv_transpose2d,
    conv_transpose3d as conv_transpose3d,
)
from ._correlate import convolve2d as convolve2d, correlate2d as correlate2d
from ._distance import pairwise_distance as pairwise_distance
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
from ._interpolate import interpolate as interpolate
from ._join import add as add, concat as concat, multiply as multiply
from ._layer_norm import layer_norm as layer_norm, rms_norm as rms_norm
from ._linear import bilinear as bilinear, linear as linear
from ._local_response_norm import local_response_norm as local_response_norm
from ._loss_binary import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from ._loss_class import (
    focal_loss as focal_loss,
    nll_loss as nll_loss,
)
from ._loss_cross_entropy import (
    cross_entropy as cross_entropy,
)
from ._loss_density import (
    gaussian_nll_loss as gaussian_nll_loss,
    poisson_nll_loss as poisson_nll_loss,
)
from ._loss_divergence import (
    kl_div as kl_div,
)
from ._loss_huber import huber_loss as huber_loss, smooth_l1_loss as smooth_l1_loss
from ._loss_margin import (
    multi_margin_loss as multi_margin_loss,
    multilabel_margin_loss as multilabel_margin_loss,
)
from ._loss_operands import (
    labels_checked as labels_checked,
)
from ._loss_overlap import (
    dice_loss as dice_loss,
    sigmoid_focal_loss as sigmoid_focal_loss,
)
from ._loss_pairs import (
    cosine_embedding_loss as cosine_embedding_loss,
    hinge_embedding_loss as hinge_embedding_loss,
    margin_ranking_loss as margin_ranking_loss,
)
from ._loss_regression import l1_loss as l1_loss, mse_loss as mse_loss
from ._loss_soft_margin import (
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
    soft_margin_loss as soft_margin_loss,
)
from ._loss_triplet import (
    triplet_margin_loss as triplet_margin_loss,
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from ._lp_pool import lp_pool1d as lp_pool1d, lp_pool2d as lp_pool2d, lp_pool3d as lp_pool3d
from ._max_pool import max_pool1d as max_pool1d, max_pool2d as max_pool2d, max_pool3d as max_pool3d
from ._max_unpool import (
    max_unpool1d as max_unpool1d,
    max_unpool2d as max_unpool2d,
    max_unpool3d as max_unpool3d,
)
from ._norm import batch_norm as batch_norm, instance_norm as instance_norm
from ._pad import pad as pad
from ._registry import registered as registered, vjp as vjp
from ._reshape import flatten as flatten, unflatten as unflatten
from ._shuffle import (
    channel_shuffle as channel_shuffle,
    pixel_shuffle as pixel_shuffle,
    pixel_unshuffle as pixel_unshuffle,
)
from ._similarity import (
    cosine_similarity as cosine_similarity,
    normalize as normalize,
)
from ._weight_norm import spectral_norm as spectral_norm, weight_norm as weight_norm
from ._windows import col2im as col2im, fold as fold, im2col as im2col, unfold as unfold

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "channel_shuffle",
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
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dice_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "feature_alpha_dropout",
    "flatten",
    "focal_loss",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "glu",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "im2col",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "labels_checked",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "multiply",
    "nll_loss",
    "normalize",
    "pad",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "registered",
    "relu",
    "relu6",
    "rms_norm",
    "rrelu",
    "selu",
    "sigmoid",
    "sigmoid_focal_loss",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "spectral_norm",
    "stochastic_depth",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unflatten",
    "unfold",
    "vjp",
    "weight_norm",
]
