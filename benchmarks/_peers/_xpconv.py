"""xpconv, on whichever backend is asked for."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

import xpconv
from xpconv import engines, ops

from .._cases import INFERENCE, PRECISIONS, LayerCase, TrainingCase
from .._devices import PEAK_BYTES, PEAK_SIZE, CupyCuda, TorchCuda, peaks
from ._base import VERIFIED_STEPS, Job, Peer, Unsupported, layer_outputs


class XpconvPeer(Peer):
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._backend = xpconv.get_backend(config.get("backend", "numpy"))
        # Inside a network, activations arrive channels-last in memory under their NCHW shape.
        self._channels_last = config.get("layout", "channels_last") == "channels_last"
        self._inference = config.get("inference", "plain")
        self._graphs = bool(config.get("graphs"))
        self._open = ExitStack()
        spec = str(self._backend)
        if spec.startswith("torch"):
            import torch

            torch.set_num_threads(int(config["threads"]))
        if spec.startswith("cupy"):
            self.device = CupyCuda()
        elif spec.startswith("torch:cuda"):
            self.device = TorchCuda(spec.partition(":")[2])

    def describe(self) -> dict[str, str]:
        return {
            "xpconv": xpconv.__version__,
            "backend": str(self._backend),
            "memory": "channels-last" if self._channels_last else "NCHW",
            self._backend.name: sys.modules[self._backend.name].__version__,
            **(
                {"Numba": engines.compiled_refusal() or "used"}
                if self._backend.name == "numpy"
                else {}
            ),
            **self.device.describe(),
            **self._peaks(),
        }

    def _peaks(self) -> dict[str, str]:
        """What products and copies reach through the backend itself; half precision's in TF32."""
        if self._backend.name != "cupy":
            return {}
        xp = self._backend.xp
        a = xp.ones((PEAK_SIZE, PEAK_SIZE), dtype=xp.float32)
        b = xp.ones(PEAK_BYTES // 4, dtype=xp.float32)
        return peaks(self.device, lambda: a @ a, lambda: xp.astype(b, b.dtype, copy=True))

    def let_go(self) -> None:
        engines.let_go()

    def layer(self, case: LayerCase) -> Job:
        if self._graphs:
            raise Unsupported("for networks")
        data = {name: self._put(name, value, case.dtype) for name, value in case.data().items()}
        x, weight, bias, dy = (data[name] for name in ("x", "weight", "bias", "dy"))
        options = {
            "stride": case.stride,
            "padding": case.padding,
            "dilation": case.dilation,
            "groups": case.groups,
        }

        def forward() -> tuple[Any, ...]:
            return (ops.conv2d(x, weight, bias, **options),)

        def both() -> tuple[Any, ...]:
            y, pullback = ops.vjp(ops.conv2d, x, weight, bias, **options)
            return (y, *pullback(dy))

        run = forward if case.mode == "forward" else both
        wide = "float32" if case.dtype in PRECISIONS else case.dtype

        def outputs() -> dict[str, np.ndarray]:
            arrays = (self._backend.asarray(array, wide) for array in run())
            return layer_outputs(case.mode, tuple(map(self._backend.to_numpy, arrays)))

        return Job(run, outputs)

    def training(self, case: TrainingCase) -> Job:
        from xpconv import models, nn, optim, train

        options: dict[str, Any] = {"num_classes": case.classes, "in_channels": case.channels}
        if case.model in ("small_vgg", "mobilenet_v2"):
            options["dropout"] = 0.0  # masks differ between libraries
        wide = "float32" if case.dtype in PRECISIONS else case.dtype
        model = models.get_model(case.model, **options).to(self._backend, wide)
        model.update(
            {
                name: self._backend.asarray(case.initial(name, tuple(value.shape)))
                for name, value in model.state_dict().items()
                if case.draws(name)
            }
        )
        if self._inference != "plain" and case.mode != INFERENCE:
            raise Unsupported("for inference")
        if self._inference == "compile":
            x = self._backend.asarray(case.data()[0][0], wide)
            planned = model.compile_for(tuple(x.shape))
            return Job(lambda: planned(x), lambda: {"y": self._backend.to_numpy(planned(x))})
        if self._inference == "fuse":
            model = model.fuse()
        optimizer = optim.SGD(lr=case.lr, momentum=case.momentum)
        criterion = nn.CrossEntropyLoss()
        precision = train.Precision(PRECISIONS.get(case.dtype), model, self._backend)
        batches = [
            (self._backend.asarray(x), self._backend.asarray(labels)) for x, labels in case.data()
        ]
        if self._graphs:
            return self._graphed(case, model, optimizer, batches)
        step = 0

        def run() -> Any:
            nonlocal step
            x, labels = batches[step % len(batches)]
            step += 1
            loss, _, grads, found_inf = precision.gradients(model, criterion, x, labels)
            optimizer.step(model, grads, found_inf=found_inf)
            return loss

        def infer() -> Any:
            with precision.weights(model):
                return precision.infer(model, batches[0][0])

        if case.mode == INFERENCE:
            return Job(infer, lambda: {"y": self._backend.to_numpy(infer())})

        def outputs() -> dict[str, np.ndarray]:
            losses = [float(self._backend.to_numpy(run())) for _ in range(VERIFIED_STEPS)]
            return {"loss": np.array(losses)}

        return Job(run, outputs)

    def _graphed(self, case: TrainingCase, model: Any, optimizer: Any, batches: list[Any]) -> Job:
        """Steps, or inference, as CUDA graphs: one launch each."""
        from xpconv import train

        if self._backend.name != "cupy":
            raise Unsupported("for CuPy")
        if case.mode == INFERENCE:
            fast = xpconv.capture(model, batches[0][0])
            return Job(
                lambda: fast(batches[0][0]),
                lambda: {"y": self._backend.to_numpy(fast(batches[0][0]))},
            )
        trainer = train.Trainer(
            model,
            optimizer=optimizer,
            backend=self._backend,
            precision=PRECISIONS.get(case.dtype),
            cuda_graphs=True,
            progress=False,
        )
        self._open.close()  # the case before this one
        step = self._open.enter_context(trainer.captured_steps())
        turns = itertools.cycle(batches)

        def run() -> Any:
            return step(*next(turns))[0]

        def outputs() -> dict[str, np.ndarray]:
            losses = [float(self._backend.to_numpy(run())) for _ in range(VERIFIED_STEPS)]
            if trainer.cuda_graphs.refusal:
                raise Unsupported(trainer.cuda_graphs.refusal)
            return {"loss": np.array(losses)}

        return Job(run, outputs)

    def _put(self, name: str, value: np.ndarray, dtype: str) -> Any:
        if name not in ("x", "dy") or not self._channels_last:
            return self._backend.asarray(value, dtype)
        rows = self._backend.asarray(np.ascontiguousarray(value.transpose(0, 2, 3, 1)), dtype)
        return self._backend.xp.permute_dims(rows, (0, 3, 1, 2))  # (N, H, W, C) -> (N, C, H, W)
