"""Every operation with every dtype: what PyTorch takes we take, with the same result's dtype."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, dtype_name
from tests.ops.samples import SAMPLES, Sample
from xpconv import ops

WHOLE = ("bool", "uint8", "int8", "int16", "int32", "int64")
HALF = ("float16", "bfloat16")  # taken everywhere, as on PyTorch's GPUs
DTYPES = (*WHOLE, *HALF, "float32", "float64", "complex64", "complex128")


def _rank(name: str) -> Callable[..., Any]:
    """A function of PyTorch's that has a name for each number of spatial dimensions."""
    return lambda torch: lambda x: getattr(torch.nn.functional, f"{name}{x.ndim - 2}d")(x, 1)


# Where PyTorch has an operation that torch.nn.functional does not have under our name.
ELSEWHERE: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "add": lambda torch: torch.add,
    "multiply": lambda torch: torch.mul,
    "concat": lambda torch: lambda *arrays, dim=1: torch.cat(arrays, dim),
    "flatten": lambda torch: (
        lambda x, start_dim=1, end_dim=-1: torch.flatten(x, start_dim, end_dim)
    ),
    "unflatten": lambda torch: torch.unflatten,
    "global_avg_pool": _rank("adaptive_avg_pool"),
    "global_max_pool": _rank("adaptive_max_pool"),
    "im2col": lambda torch: torch.nn.functional.unfold,
    "col2im": lambda torch: torch.nn.functional.fold,
    "softmin": lambda torch: lambda x, dim=-1: torch.nn.functional.softmin(x, dim),
    "softmax": lambda torch: lambda x, dim=-1: torch.nn.functional.softmax(x, dim),
    "log_softmax": lambda torch: lambda x, dim=-1: torch.nn.functional.log_softmax(x, dim),
}
# What PyTorch does not have.
OURS_ALONE = {
    "convolve2d",
    "correlate2d",
    "dice_loss",
    "focal_loss",
    "sigmoid_focal_loss",
    "spectral_norm",
    "stochastic_depth",
    "weight_norm",
}
# What PyTorch has no option for: the key of a random draw.
OWN_OPTIONS = {"key"}
# Where PyTorch's kernels for the CPU lack integers although nothing speaks against them; they stay.
INTEGERS_TOO = {
    *(f"{kind}{n}d" for kind in ("adaptive_max_pool", "conv_transpose") for n in (1, 2, 3)),
    *("col2im", "fold", "global_max_pool", "im2col", "max_pool1d", "unfold"),
}
# The standard does no arithmetic on truth values, and nobody asks for it.
NO_TRUTH_VALUES = {"add", "multiply"}

FIRST = {
    sample.operation: sample for sample in reversed(SAMPLES) if sample.operation not in OURS_ALONE
}


def cast(array: np.ndarray | None, dtype: str) -> np.ndarray | None:
    """A sample's array with numbers of a dtype; labels stay what they are."""
    if array is None or array.dtype.kind != "f":
        return array
    if dtype in WHOLE:
        return np.abs(np.rint(array)).astype(dtype)
    if dtype.startswith("complex"):
        return (array + 0.5j * np.flip(array)).astype(dtype)
    return array.astype("float32" if dtype == "bfloat16" else dtype)


def placed(array: np.ndarray | None, place: Callable[[np.ndarray], Any], dtype: str) -> Any:
    """An array in a library; only PyTorch has bfloat16."""
    here = None if array is None else place(array)
    if dtype == "bfloat16" and here is not None and dtype_name(here) == "float32":
        return here.bfloat16()
    return here


@cache
def theirs(name: str, dtype: str) -> str | None:
    """The dtype that PyTorch returns, or None where it refuses."""
    import torch

    sample = FIRST[name]
    operation = ELSEWHERE[name](torch) if name in ELSEWHERE else getattr(torch.nn.functional, name)
    arrays = [placed(cast(a, dtype), torch.tensor, dtype) for a in sample.arrays()]
    options = {k: v for k, v in sample.keywords(arrays).items() if k not in OWN_OPTIONS}
    try:
        y = operation(*sample.positional(arrays), **options)
    except (RuntimeError, TypeError, ValueError):
        return None
    return dtype_name(y[0] if isinstance(y, tuple) else y)


def ours(backend: Library, sample: Sample, dtype: str) -> str | None:
    """The dtype that we return, or None where we refuse; gradients have their argument's dtype."""
    arrays = [placed(cast(a, dtype), backend.array, dtype) for a in sample.arrays()]
    operation = getattr(ops, sample.operation)
    try:
        y, pullback = ops.vjp(operation, *sample.positional(arrays), **sample.keywords(arrays))
    except (TypeError, ValueError):
        return None
    first = y[0] if isinstance(y, tuple) else y
    for array, gradient in zip(arrays, pullback(first), strict=True):
        assert gradient is None or dtype_name(gradient) == dtype_name(array) not in WHOLE
    return dtype_name(first)


def wanted(name: str, dtype: str, actual: str | None) -> str | None:
    """What PyTorch returns, but for what it lacks without a reason."""
    desired = theirs(name, dtype)
    lacking = dtype in HALF or (dtype in WHOLE[1:] and name in INTEGERS_TOO)
    if desired is None and actual is not None and lacking:
        return dtype
    if dtype == "bool" and actual is None and name in NO_TRUTH_VALUES:
        return None
    return desired


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("name", FIRST)
def test_as_pytorch(backend: Library, name: str) -> None:
    actual, desired = {}, {}
    for dtype in DTYPES:
        if dtype not in HALF or backend.label == "torch" or hasattr(backend.xp, dtype):
            actual[dtype] = ours(backend, FIRST[name], dtype)
            desired[dtype] = wanted(name, dtype, actual[dtype])
    assert actual == desired
