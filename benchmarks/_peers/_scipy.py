"""A convolution layer in the style of "CNN from scratch" posts: SciPy calls in Python loops.

One image at a time, one call a pair of kernel and channel: correlation in the mode "valid" forward,
correlation of the input with the output's gradient for the kernels, convolution in the mode "full"
for the input. Stride 1 only, as there; padding, which the posts leave out, is a border of zeros
around the image. The bias is one a kernel, so that results can be compared with a library's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from scipy.signal import convolve2d, correlate2d

from .._cases import STEP, LayerCase, TrainingCase
from ._base import Job, Peer, Unsupported, layer_outputs


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(C, H, W), (O, C, KH, KW), (O,) -> (O, OH, OW)."""
    outputs = []
    for kernels, offset in zip(weight, bias, strict=True):
        total = correlate2d(x[0], kernels[0], "valid")
        for channel, kernel in zip(x[1:], kernels[1:], strict=True):
            total += correlate2d(channel, kernel, "valid")
        outputs.append(total + offset)
    return np.stack(outputs)


def backward(
    x: np.ndarray, weight: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dweight, dbias) of one image."""
    dx, dweight = np.zeros_like(x), np.empty_like(weight)
    for out, grad in enumerate(dy):
        for channel in range(len(x)):
            dweight[out, channel] = correlate2d(x[channel], grad, "valid")
            dx[channel] += convolve2d(grad, weight[out, channel], "full")
    return dx, dweight, dy.sum(axis=(1, 2))


def border(x: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding)))


def without_border(x: np.ndarray, padding: int) -> np.ndarray:
    return x[:, padding : x.shape[1] - padding, padding : x.shape[2] - padding]


class ScipyPeer(Peer):
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._limit = float(config.get("seconds", 5.0))

    def describe(self) -> dict[str, str]:
        return {"scipy": scipy.__version__, **self.device.describe()}

    def layer(self, case: LayerCase) -> Job:
        if case.batch != 1:
            raise Unsupported("one image at a time")
        if case.stride != 1 or case.dilation != 1 or case.groups != 1:
            raise Unsupported("stride 1, no dilation, one group only")
        data = case.data()
        x, dy, weight, bias = data["x"][0], data["dy"][0], data["weight"], data["bias"]
        self._refuse_if_slow(case, x[0], weight[0, 0], dy[0])

        def run() -> tuple[np.ndarray, ...]:
            padded = border(x, case.padding)
            y = forward(padded, weight, bias)
            if case.mode == "forward":
                return (y[None],)
            dx, dweight, dbias = backward(padded, weight, dy)
            return y[None], without_border(dx, case.padding)[None], dweight, dbias

        return Job(run, lambda: layer_outputs(case.mode, run()))

    def training(self, case: TrainingCase) -> Job:
        if case.model != "lenet5":
            raise Unsupported("LeNet-5 only: minutes a step on larger networks")
        if case.batch != 1:
            raise Unsupported("one image at a time")
        if case.mode != STEP:
            raise Unsupported("training steps only")
        from ._scipy_lenet import training_job

        return training_job(case)

    def _refuse_if_slow(
        self, case: LayerCase, image: np.ndarray, kernel: np.ndarray, grad: np.ndarray
    ) -> None:
        """Time one call of each kind and multiply by the number of loops."""
        padded = border(image[None], case.padding)[0]
        calls = [(correlate2d, padded, kernel, "valid")]
        if case.mode == "forward+backward":
            calls.append((correlate2d, padded, grad, "valid"))
            calls.append((convolve2d, grad, kernel, "full"))
        seconds = 0.0
        for function, first, second, mode in calls:
            function(first, second, mode)
            start = time.perf_counter()
            function(first, second, mode)
            seconds += time.perf_counter() - start
        seconds *= case.in_channels * case.out_channels
        if seconds > self._limit:
            raise Unsupported(f"about {seconds:.0f} s an image, over the limit")
