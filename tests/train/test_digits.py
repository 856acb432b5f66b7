"""Real data: a small network learns to read handwritten digits."""

from __future__ import annotations

import pytest

from xpconv import data, models, optim, schedule, train
from xpconv.random import Stream

pytest.importorskip("sklearn")


def test_reads_digits() -> None:
    """A third of the epochs of ``xpconv train digits``, which reaches 0.99."""
    digits, test = data.load_digits()
    trainer = train.Trainer(
        models.digits_cnn(rng=Stream(0)),
        optimizer=optim.SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=schedule.OneCycleLR(5),
        progress=False,
    )
    history = trainer.fit(digits, epochs=5, batch_size=32)
    assert history["accuracy"][-1] > 0.98
    assert trainer.evaluate(test)["accuracy"] > 0.975
