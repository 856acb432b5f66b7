"""A convolution as a graph of cuDNN's: tensors with sizes and steps, and what is done with them.

Sizes are in cuDNN's order, (N, C, H, W) and (K, C/G, R, S); the steps say that memory is
channels-last. A signal is an image of one row.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .._problem import Problem
from ._library import front_end

TYPES = {"float16": "HALF", "bfloat16": "BFLOAT16", "float32": "FLOAT", "float64": "DOUBLE"}
"""dtypes that cuDNN convolves, and its names for them."""

# What its execution calls the arrays.
FIRST, SECOND, BIAS, RESULT = 1, 2, 3, 4

# Sums that are not those of the definition, or that lose digits of what was given.
_INEXACT = (
    "DOWN_CONVERT_INPUTS",
    "REDUCED_PRECISION_REDUCTION",
    "FFT",
    "WINOGRAD",
    "WINOGRAD_TILE_4x4",
    "WINOGRAD_TILE_6x6",
    "WINOGRAD_TILE_13x13",
)


class Key(NamedTuple):
    """All that a plan depends on."""

    problem: Problem
    task: str
    bias: bool
    activation: str | None
    tf32: bool
    deterministic: bool
    budget: int
    device: int

    def __str__(self) -> str:
        """Return the task and the problem in words."""
        return f"the {self.task.replace('_', ' ')} of {self.problem}"


def unwanted(key: Key) -> list[Any]:
    """Return the numerical notes that a plan must not have.

    Tensor cores compute float32 in TF32 and nothing else; with any other dtype they lose nothing.
    """
    names = list(_INEXACT)
    if key.deterministic:
        names.append("NONDETERMINISTIC")
    if key.problem.dtype == "float32" and not key.tf32:
        names.append("TENSOR_CORE")
    notes = front_end().numerical_note
    return [getattr(notes, name) for name in names]


def graph_of(key: Key, **place: Any) -> Any:
    """Describe a convolution to cuDNN.

    Parameters
    ----------
    key : Key
        What is to be computed.
    **place
        Where: a ``handle`` and the ``sm_version`` of its device.
    """
    cudnn, problem = front_end(), key.problem
    number = getattr(cudnn.data_type, TYPES[problem.dtype])
    wide = cudnn.data_type.DOUBLE if problem.dtype == "float64" else cudnn.data_type.FLOAT
    graph = cudnn.pygraph(
        io_data_type=number, intermediate_data_type=wide, compute_data_type=wide, **place
    )

    def tensor(name: str, uid: int, size: tuple[int, ...]) -> Any:
        steps = _channels_last(size)
        return graph.tensor(dim=list(size), stride=steps, data_type=number, name=name, uid=uid)

    image, kernel, output = _sizes(problem)
    steps = _steps(problem)
    if key.task == "forward":
        x, weight = tensor("x", FIRST, image), tensor("weight", SECOND, kernel)
        result, size = graph.conv_fprop(image=x, weight=weight, **steps), output
        if key.bias:
            per_channel = (1, problem.out_channels, *(1 for _ in output[2:]))
            result = graph.bias(input=result, bias=tensor("bias", BIAS, per_channel))
        if key.activation == "relu":
            result = graph.relu(input=result)
    elif key.task == "input_grad":
        dy, weight = tensor("dy", FIRST, output), tensor("weight", SECOND, kernel)
        result, size = graph.conv_dgrad(loss=dy, filter=weight, **steps), image
    else:
        x, dy = tensor("x", FIRST, image), tensor("dy", SECOND, output)
        result, size = graph.conv_wgrad(image=x, loss=dy, **steps), kernel
    result.set_output(True).set_uid(RESULT).set_data_type(number)
    result.set_dim(list(size)).set_stride(_channels_last(size))
    return graph


def _sizes(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of the image, the kernels and the output."""
    row = _row(problem, 1)
    return (
        (problem.batch, problem.in_channels, *row, *problem.in_size),
        (problem.out_channels, problem.group_in, *row, *problem.kernel_size),
        (problem.batch, problem.out_channels, *row, *problem.out_size),
    )


def _steps(problem: Problem) -> dict[str, list[int]]:
    return {
        "pre_padding": [*_row(problem, 0), *(before for before, _ in problem.padding)],
        "post_padding": [*_row(problem, 0), *(after for _, after in problem.padding)],
        "stride": [*_row(problem, 1), *problem.stride],
        "dilation": [*_row(problem, 1), *problem.dilation],
    }


def _row(problem: Problem, value: int) -> tuple[int, ...]:
    """Return what stands for the dimension that a signal lacks."""
    return (value,) if problem.ndim == 1 else ()


def _channels_last(size: tuple[int, ...]) -> list[int]:
    """Return the steps of sizes (N, C, H, W) whose memory is in the order N, H, W, C."""
    _, channels, *space = size
    inner = [channels * math.prod(space[k + 1 :]) for k in range(len(space))]
    return [channels * math.prod(space), 1, *inner]
