"""LeNet-5 trained one image at a time with the loops of `_scipy`: the post's way, whole network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._cases import TrainingCase
from ._base import VERIFIED_STEPS, Job
from ._scipy import backward, border, forward

Back = Callable[[np.ndarray], np.ndarray]

SHAPES: dict[str, tuple[int, ...]] = {
    "conv1": (6, 1, 5, 5),
    "conv2": (16, 6, 5, 5),
    "fc1": (120, 400),
    "fc2": (84, 120),
    "fc3": (10, 84),
}


class LeNet:
    """The network, its gradients and its momentum, in plain dictionaries."""

    def __init__(self, case: TrainingCase) -> None:
        self.case = case
        self.weights: dict[str, np.ndarray] = {}
        for name, shape in SHAPES.items():
            for key, size in ((f"{name}.weight", shape), (f"{name}.bias", shape[:1])):
                self.weights[key] = case.initial(key, size)
        self.grads: dict[str, np.ndarray] = {}
        self.velocity: dict[str, np.ndarray] = {}

    def step(self, image: np.ndarray, label: int) -> float:
        """Forward, backward and one update by SGD with momentum; returns the loss."""
        h, ways_back = image, []
        for name in SHAPES:
            if name == "fc1":
                h, back = h.reshape(-1), (lambda shape: lambda dy: dy.reshape(shape))(h.shape)
                ways_back.append(back)
            stage = self._convolve if name.startswith("conv") else self._dense
            h, back = stage(name, h, padding=2 if name == "conv1" else 0)
            ways_back.append(back)
            if name != "fc3":
                h, back = relu(h)
                ways_back.append(back)
            if name.startswith("conv"):
                h, back = max_pool(h)
                ways_back.append(back)
        shifted = h - h.max()
        probabilities = np.exp(shifted) / np.exp(shifted).sum()
        loss = float(np.log(np.exp(shifted).sum()) - shifted[label])
        grad = probabilities
        grad[label] -= 1
        for back in reversed(ways_back):
            grad = back(grad)
        self._update()
        return loss

    def _convolve(self, name: str, x: np.ndarray, padding: int) -> tuple[np.ndarray, Back]:
        padded, weight = border(x, padding), self.weights[f"{name}.weight"]

        def back(dy: np.ndarray) -> np.ndarray:
            dx, self.grads[f"{name}.weight"], self.grads[f"{name}.bias"] = backward(
                padded, weight, dy
            )
            return dx[:, padding : dx.shape[1] - padding, padding : dx.shape[2] - padding]

        return forward(padded, weight, self.weights[f"{name}.bias"]), back

    def _dense(self, name: str, x: np.ndarray, padding: int) -> tuple[np.ndarray, Back]:
        weight = self.weights[f"{name}.weight"]

        def back(dy: np.ndarray) -> np.ndarray:
            self.grads[f"{name}.weight"] = np.outer(dy, x)
            self.grads[f"{name}.bias"] = dy
            return np.matmul(weight.T, dy)

        return weight @ x + self.weights[f"{name}.bias"], back

    def _update(self) -> None:
        for key, grad in self.grads.items():
            velocity = self.case.momentum * self.velocity.get(key, 0.0) + grad
            self.velocity[key] = velocity
            self.weights[key] = self.weights[key] - self.case.lr * velocity


def relu(x: np.ndarray) -> tuple[np.ndarray, Back]:
    return np.maximum(x, 0), lambda dy: dy * (x > 0)


def max_pool(x: np.ndarray) -> tuple[np.ndarray, Back]:
    """2x2 maxima of (C, H, W); the first of tied maxima takes the gradient."""
    c, h, w = x.shape
    windows = x.reshape(c, h // 2, 2, w // 2, 2).swapaxes(2, 3).reshape(c, h // 2, w // 2, 4)
    chosen = windows.argmax(axis=-1)[..., None]

    def back(dy: np.ndarray) -> np.ndarray:
        spread = np.zeros_like(windows)
        np.put_along_axis(spread, chosen, dy[..., None], axis=-1)
        return spread.reshape(c, h // 2, w // 2, 2, 2).swapaxes(2, 3).reshape(c, h, w)

    return np.take_along_axis(windows, chosen, axis=-1)[..., 0], back


def training_job(case: TrainingCase) -> Job:
    network, batches, step = LeNet(case), case.data(), 0

    def run() -> float:
        nonlocal step
        x, labels = batches[step % len(batches)]
        step += 1
        return network.step(x[0], int(labels[0]))

    return Job(run, lambda: {"loss": np.array([run() for _ in range(VERIFIED_STEPS)])})
