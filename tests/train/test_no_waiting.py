"""A step asks the device for nothing, so that a GPU never waits for the host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backends import never_waiting
from tests.train.small import images, network
from xpconv import data, get_backend, ops, optim, train
from xpconv.random import use_stream


def test_a_step_never_asks_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array that becomes a Python number makes a GPU wait; here it is an error."""
    pytest.importorskip("array_api_strict")
    from array_api_strict._array_object import Array

    def refuse(self: Any) -> Any:
        raise AssertionError("an array was read on the host")

    backend = get_backend("array_api_strict:device1")
    trainer = train.Trainer(
        network(), backend=backend, optimizer=optim.Adam(), clip_norm=1.0, progress=False
    )
    digits = images()
    trainer.fit(digits, epochs=1)
    with monkeypatch.context() as patch:
        for name in ("__bool__", "__float__", "__int__", "__index__", "__complex__"):
            patch.setattr(Array, name, refuse)
        with use_stream(trainer.stream), ops.labels_checked():
            for x, y in data.on_backend(data.batches(digits, 8), backend, trainer.dtype):
                loss, logits = trainer.step(x, y)
                trainer.means.add({"loss": loss, "accuracy": train.accuracy(logits, y)}, x.shape[0])
    assert trainer.means.read()["loss"] > 0


@pytest.mark.parametrize("backend", ["cupy"], indirect=True)
@pytest.mark.parametrize("precision", [None, "fp16", "bf16"])
def test_a_step_on_a_gpu_never_waits(backend: Any, precision: str | None) -> None:
    """CuPy itself refuses to wait."""
    trainer = train.Trainer(
        network(),
        backend=backend.backend,
        optimizer=optim.Adam(),
        precision=precision,
        clip_norm=1.0,
        progress=False,
    )
    digits = images(8)
    x, y = backend.array(digits.x), backend.array(digits.y)
    with use_stream(trainer.stream), ops.labels_checked():
        trainer.step(x, y)  # kernels are compiled
        with never_waiting():
            for _ in range(2):
                loss, logits = trainer.step(x, y)
                trainer.means.add({"loss": loss, "accuracy": train.accuracy(logits, y)}, 8)
    assert trainer.means.read()["loss"] > 0
