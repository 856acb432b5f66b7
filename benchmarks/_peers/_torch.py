"""PyTorch, in its default memory layout or in channels_last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .._cases import INFERENCE, PRECISIONS, LayerCase, TrainingCase
from .._devices import CPU_BYTES, CPU_SIZE, PEAK_BYTES, PEAK_SIZE, Cpu, TorchCuda, peaks, rates
from ._base import VERIFIED_STEPS, Job, Peer, layer_outputs
from ._torch_models import build


class TorchPeer(Peer):
    def __init__(self, config: Mapping[str, Any]) -> None:
        torch.set_num_threads(int(config["threads"]))
        self._tf32 = bool(config.get("tf32", False))
        torch.backends.cuda.matmul.allow_tf32 = self._tf32
        torch.backends.cudnn.allow_tf32 = self._tf32
        torch.backends.cudnn.benchmark = True  # let it choose its fastest algorithm
        self._name = str(config.get("device", "cpu"))
        if self._name == "cuda" and not torch.cuda.is_available():
            self._name = "cpu"
        if self._name.startswith("cuda"):
            self.device = TorchCuda(self._name)
        self._dtype = str(config.get("dtype", "float32"))
        self._layout = config.get("layout", "default")
        self._format = (
            torch.channels_last if self._layout == "channels_last" else torch.contiguous_format
        )

    def describe(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "layout": self._layout,
            "threads": str(torch.get_num_threads()),
            "tf32": str(self._tf32),
            **self.device.describe(),
            **self._peaks(),
        }

    def _peaks(self) -> dict[str, str]:
        if not isinstance(self.device, TorchCuda):
            return {}
        dtype = getattr(torch, self._dtype)
        a = torch.randn(PEAK_SIZE, PEAK_SIZE, device=self._name).to(dtype)
        b = torch.empty(PEAK_BYTES // 4, device=self._name)
        return peaks(self.device, lambda: a @ a, lambda: b.clone())

    def peaks(self) -> dict[str, float]:
        a, source = torch.randn(CPU_SIZE, CPU_SIZE), torch.ones(CPU_BYTES // 4)
        target = torch.zeros_like(source)
        return rates(
            Cpu(), lambda: a @ a, 2 * CPU_SIZE**3, lambda: target.copy_(source), 2 * CPU_BYTES
        )

    def layer(self, case: LayerCase) -> Job:
        dtype = getattr(torch, case.dtype)
        data = {name: self._put(value).to(dtype) for name, value in case.data().items()}
        x, weight, bias, dy = (data[name] for name in ("x", "weight", "bias", "dy"))
        options = {
            "stride": case.stride,
            "padding": case.padding,
            "dilation": case.dilation,
            "groups": case.groups,
        }

        def forward() -> tuple[torch.Tensor, ...]:
            with torch.inference_mode():
                return (functional.conv2d(x, weight, bias, **options),)

        def both() -> tuple[torch.Tensor, ...]:
            y = functional.conv2d(x, weight, bias, **options)
            return (y.detach(), *torch.autograd.grad(y, (x, weight, bias), dy))

        run = forward
        if case.mode == "forward+backward":
            for value in (x, weight, bias):
                value.requires_grad_()
            run = both

        def outputs() -> dict[str, np.ndarray]:
            wide = torch.float32 if case.dtype in PRECISIONS else dtype
            return layer_outputs(case.mode, tuple(t.to(wide).cpu().numpy() for t in run()))

        return Job(run, outputs)

    def training(self, case: TrainingCase) -> Job:
        half = case.dtype in PRECISIONS
        dtype = getattr(torch, case.dtype)
        model = build(case.model, case.channels, case.classes).to(torch.float32 if half else dtype)
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if case.draws(name):
                    value.copy_(torch.from_numpy(case.initial(name, tuple(value.shape))))
        model = model.to(self._name, memory_format=self._format).train(case.mode != INFERENCE)
        scaler = torch.amp.GradScaler(self._name, enabled=case.dtype == "float16")
        optimizer = torch.optim.SGD(model.parameters(), lr=case.lr, momentum=case.momentum)
        batches = [(self._put(x), self._put(labels)) for x, labels in case.data()]
        step = 0

        def cast() -> torch.autocast:
            return torch.autocast(self._name, dtype=dtype if half else None, enabled=half)

        def run() -> torch.Tensor:
            nonlocal step
            x, labels = batches[step % len(batches)]
            step += 1
            with cast():
                logits = model(x)
            loss = functional.cross_entropy(logits.to(torch.float32) if half else logits, labels)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.detach()

        def infer() -> torch.Tensor:
            with torch.inference_mode(), cast():
                return model(batches[0][0])

        if case.mode == INFERENCE:
            return Job(infer, lambda: {"y": infer().float().cpu().numpy()})
        return Job(run, lambda: {"loss": np.array([float(run()) for _ in range(VERIFIED_STEPS)])})

    def _put(self, value: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(value).to(self._name)
        return tensor.contiguous(memory_format=self._format) if value.ndim == 4 else tensor
