"""A convolution layer as courses teach it: NumPy, the columns of the whole batch, one product.

Windows become columns by a strided view and a copy (im2col), the way back adds every element of
the kernel's columns to its place (col2im). NCHW throughout, nothing is reused.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .._cases import LayerCase, TrainingCase
from .._devices import CPU_BYTES, CPU_SIZE, rates
from ._base import Job, Peer, Unsupported, layer_outputs


def im2col(x: np.ndarray, case: LayerCase) -> np.ndarray:
    """(N, C, H, W) -> (N, C*KH*KW, OH*OW)."""
    reach = case.dilation * (case.kernel_size - 1) + 1
    windows = sliding_window_view(x, (reach, reach), axis=(2, 3))
    s, d = case.stride, case.dilation
    windows = windows[:, :, ::s, ::s, ::d, ::d]  # (N, C, OH, OW, KH, KW)
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(len(x), -1, case.out_size**2)


def col2im(cols: np.ndarray, shape: tuple[int, ...], case: LayerCase) -> np.ndarray:
    """(N, C*KH*KW, OH*OW) -> (N, C, H, W): what overlaps is added up."""
    n, channels = shape[:2]
    k, s, d, out = case.kernel_size, case.stride, case.dilation, case.out_size
    cols = cols.reshape(n, channels, k, k, out, out)
    x = np.zeros(shape, dtype=cols.dtype)
    for i in range(k):
        for j in range(k):
            rows = slice(i * d, i * d + s * (out - 1) + 1, s)
            columns = slice(j * d, j * d + s * (out - 1) + 1, s)
            x[:, :, rows, columns] += cols[:, :, i, j]
    return x


def forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, case: LayerCase
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The output, and the columns of each group."""
    p = case.padding
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    parts, kept = [], []
    for group, kernels in zip(
        np.split(padded, case.groups, axis=1), np.split(weight, case.groups), strict=True
    ):
        cols = im2col(group, case)
        kept.append(cols)
        parts.append(kernels.reshape(len(kernels), -1) @ cols)  # (O, C*KH*KW) @ (N, C*KH*KW, P)
    y = np.concatenate(parts, axis=1).reshape(case.output_shape)
    return y + bias[:, None, None], kept


def backward(
    kept: list[np.ndarray], weight: np.ndarray, dy: np.ndarray, case: LayerCase
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dweight, dbias)."""
    p, n = case.padding, case.batch
    size = case.size + 2 * p
    shape = (n, case.in_channels // case.groups, size, size)
    dxs, dweights = [], []
    for cols, kernels, grad in zip(
        kept, np.split(weight, case.groups), np.split(dy, case.groups, axis=1), strict=True
    ):
        flat = grad.reshape(n, len(kernels), -1)
        dweights.append((flat @ cols.transpose(0, 2, 1)).sum(axis=0).reshape(kernels.shape))
        dcols = kernels.reshape(len(kernels), -1).T @ flat
        dxs.append(col2im(dcols, shape, case))
    dx = np.concatenate(dxs, axis=1)[:, :, p : size - p, p : size - p]
    return dx, np.concatenate(dweights), dy.sum(axis=(0, 2, 3))


class Im2colPeer(Peer):
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._most, self._threads = int(config.get("most", 2**31)), int(config["threads"])

    def describe(self) -> dict[str, str]:
        return {"numpy": np.__version__, **self.device.describe()}

    def peaks(self) -> dict[str, float]:
        a = np.random.default_rng(0).standard_normal((CPU_SIZE, CPU_SIZE), dtype=np.float32)
        source = np.ones((self._threads, CPU_BYTES // 4 // self._threads), dtype=np.float32)
        target = np.zeros_like(source)
        with ThreadPoolExecutor(self._threads) as pool:  # NumPy copies with one thread alone

            def copy() -> None:
                list(pool.map(np.copyto, target, source))

            return rates(
                self.device, lambda: a @ a, 2 * CPU_SIZE**3, copy, source.nbytes + target.nbytes
            )

    def layer(self, case: LayerCase) -> Job:
        if case.batch > self._most:
            raise Unsupported(f"more than {self._most} images: ten times slower than the others")
        data = case.data()
        x, dy, weight, bias = data["x"], data["dy"], data["weight"], data["bias"]

        def run() -> tuple[np.ndarray, ...]:
            y, kept = forward(x, weight, bias, case)
            return (y,) if case.mode == "forward" else (y, *backward(kept, weight, dy, case))

        return Job(run, lambda: layer_outputs(case.mode, run()))

    def training(self, case: TrainingCase) -> Job:
        raise Unsupported("single layers only")
