"""Two hundred steps: every library stays with NumPy, and with itself to the last bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.train.small import assert_same_bits, host_state, images, network
from xpconv import optim, schedule, train

STEPS, BATCH, SAMPLES = 200, 8, 40
LABELS = ["strict", "torch", "cupy"]
IN_EACH = pytest.mark.parametrize(
    ("backend", "precision"),
    [
        *((label, None) for label in LABELS),
        *((label, name) for label in LABELS[1:] for name in ("fp16", "bf16")),
    ],
    indirect=["backend"],
)


class Losses(train.Callback):
    """Keep the loss of every step, on the device."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def on_batch_end(self, trainer: Any) -> None:
        self.values.append(trainer.last_loss)


def run(
    spec: str, dtype: str, precision: str | None = None, steps: int = STEPS
) -> tuple[np.ndarray, train.Trainer]:
    losses = Losses()
    epochs = steps * BATCH // SAMPLES
    trainer = train.Trainer(
        network(dtype=dtype),
        backend=spec,
        precision=precision,
        optimizer=optim.SGD(lr=0.05, momentum=0.9, weight_decay=1e-3),
        schedule=schedule.CosineAnnealingLR(epochs),
        clip_norm=5.0,
        callbacks=[losses],
        seed=9,
        progress=False,
    )
    trainer.fit(images(SAMPLES), images(60, seed=1), epochs=epochs, batch_size=BATCH)
    assert len(losses.values) == steps
    return np.asarray([float(host(value)) for value in losses.values]), trainer


@cache
def reference(dtype: str) -> tuple[np.ndarray, train.Trainer]:
    return run("numpy", dtype)


@pytest.mark.parametrize("backend", LABELS, indirect=True)
def test_double_precision_agrees_in_every_weight(backend: Library) -> None:
    """Rounding of 1e-16 grows, where it decides a tie or a kink, but not to anything one sees."""
    expected, by = reference("float64")
    actual, trainer = run(backend.spec, "float64")
    np.testing.assert_allclose(actual, expected, rtol=1e-7)
    for key, value in by.model.state_dict().items():
        backend.assert_close(trainer.model.state_dict()[key], np.asarray(value), rtol=1e-7)
    assert expected[-5:].mean() < 0.5 * expected[:5].mean()  # it has learnt


@IN_EACH
def test_shorter_numbers_begin_alike_and_end_as_well(
    backend: Library, precision: str | None
) -> None:
    """Runs of other rounding part in time; what they have learnt is as good."""
    expected, by = reference("float32")
    actual, trainer = run(backend.spec, "float32", precision)
    half = trainer.precision.name in ("fp16", "bf16")
    rtol = 5e-2 if half else 5e-3 if backend.in_tf32("float32") else 1e-3
    np.testing.assert_allclose(actual[:5], expected[:5], rtol=rtol)
    np.testing.assert_allclose(actual[-20:].mean(), expected[-20:].mean(), atol=0.1)
    final = [t.history["val_accuracy"][-1] for t in (trainer, by)]
    assert abs(final[0] - final[1]) < 0.15
    assert final[1] > 0.7


@IN_EACH
def test_a_run_is_the_same_every_time(backend: Library, precision: str | None) -> None:
    (one, first), (other, second) = (run(backend.spec, "float32", precision, 40) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert_same_bits(host_state(first.model), host_state(second.model))
