"""A convolution that does not fit into memory: how much it asked for, and which batch fits."""

from __future__ import annotations

import math

from array_api_compat import array_namespace, device

from .._arrays import itemsize
from .._libraries import available
from .._memory import OutOfMemory, in_words
from .._typing import Array
from ._primitives import column_budget
from ._problem import Problem


def out_of_memory(problem: Problem, task: str, array: Array, error: MemoryError) -> OutOfMemory:
    """Return the error to raise in the place of a library's own."""
    size = itemsize(array.dtype)
    image = size * _numbers_of_an_image(problem, task)
    once = size * problem.out_channels * problem.window if task == "weight_grad" else 0
    columns = size * _columns(problem, task)
    work = min(column_budget(array_namespace(array)), columns)
    asked = problem.batch * image + once + work
    text = (
        f"out of memory in the {task.replace('_', ' ')} of {problem}: it takes {in_words(asked)}, "
        f"{in_words(work)} of them as workspace"
    )
    free = available(problem.library, device(array))
    if free is not None:
        text += f"; {in_words(free)} are free; {_advice(problem, free - once - work, image)}"
    reason = str(error)
    return OutOfMemory(f"{text} ({reason})" if reason else text)


def _columns(problem: Problem, task: str) -> int:
    """Count the numbers of all columns: where the input's gradient gathers, they are dy's."""
    turned = problem.input_problem() if task == "input_grad" else None
    if turned is not None and problem.out_channels <= 4 * problem.in_channels:
        problem = turned
    return problem.batch * math.prod(problem.out_size) * problem.window * problem.groups


def _numbers_of_an_image(problem: Problem, task: str) -> int:
    """Count the numbers of the result that one image of the batch makes."""
    if task == "forward":
        return problem.out_channels * math.prod(problem.out_size)
    return problem.in_channels * math.prod(problem.in_size) if task == "input_grad" else 0


def _advice(problem: Problem, left: int, image: int) -> str:
    fits = left // image if image and left > 0 else 0
    if fits >= 1:
        return f"a batch of {min(fits, max(problem.batch - 1, 1))} would fit here"
    return "free some, use smaller batches, or bound the workspace with conv_workspace"
