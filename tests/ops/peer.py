"""Forward values and all gradients of an operation, compared with PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.backends import Library
from xpconv import ops

RTOL = {"float32": 2e-5, "float64": 1e-10}


def assert_as_torch(
    backend: Library,
    operation: Callable[..., Any],
    theirs: Callable[..., Any],
    arrays: Sequence[np.ndarray | None],
    *,
    dtype: str = "float64",
    without_gradient: Sequence[int] = (),
    **options: Any,
) -> None:
    """Run ``operation(*arrays, **options)`` and ``theirs(*tensors)``, and their ways back.

    Parameters
    ----------
    theirs : callable
        Takes the same arrays as PyTorch tensors; options are its own affair.
    arrays : sequence
        NumPy arrays, cast to ``dtype`` where floating; None is passed on.
    without_gradient : sequence of int
        Floating arguments that take no gradient, such as running statistics.
    """
    import torch

    arrays = [a.astype(dtype) if a is not None and a.dtype.kind == "f" else a for a in arrays]
    tensors = [None if array is None else torch.tensor(array) for array in arrays]
    for place, tensor in enumerate(tensors):
        if tensor is not None and tensor.is_floating_point() and place not in without_gradient:
            tensor.requires_grad_()
    desired = theirs(*tensors)
    dy = np.random.default_rng(0).normal(size=tuple(desired.shape)).astype(dtype)
    desired.backward(torch.tensor(dy))

    ours = [None if array is None else backend.array(array) for array in arrays]
    y, pullback = ops.vjp(operation, *ours, **options)
    rtol = RTOL[dtype]
    backend.assert_close(y, desired.detach().numpy(), rtol)
    gradients = pullback(backend.array(dy))
    for place, tensor in enumerate(tensors):
        if tensor is None or tensor.grad is None:
            assert place >= len(gradients) or gradients[place] is None
        else:
            backend.assert_close(gradients[place], tensor.grad.numpy(), rtol)
