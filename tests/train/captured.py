"""Runs of a trainer with and without captured steps, and what they leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.backends import host
from tests.train.small import host_state, images, network
from xpconv import nn, optim, schedule, train

EPOCHS, SAMPLES, BATCH = 3, 22, 5  # four batches and a smaller one

OPTIMIZERS: dict[str, Callable[[], optim.Optimizer]] = {
    "sgd": lambda: optim.SGD(0.05),
    "nesterov": lambda: optim.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "dampening": lambda: optim.SGD(0.05, momentum=0.9, dampening=0.5),
    "adam": lambda: optim.Adam(0.01, weight_decay=0.01),
    "adam, fast": lambda: optim.Adam(0.01, betas=(0.4, 0.9)),
    "adamw": lambda: optim.AdamW(0.01, weight_decay=0.1),
}


def trainer(
    graphs: bool, model: nn.Module | None = None, backend: str = "torch", **options: Any
) -> train.Trainer:
    """A trainer of a small network with batch norm and dropout, by default."""
    options = {"optimizer": optim.Adam(0.01), "schedule": schedule.OneCycleLR(EPOCHS)} | options
    model = network(backend) if model is None else model
    return train.Trainer(model, backend=backend, cuda_graphs=graphs, progress=False, **options)


def fitted(made: train.Trainer, **options: Any) -> train.Trainer:
    options = {"epochs": EPOCHS, "batch_size": BATCH} | options
    made.fit(images(SAMPLES), images(9), **options)
    return made


def everything(made: train.Trainer) -> dict[str, Any]:
    """All that a run leaves, as host arrays."""
    optimizer = made.optimizer.state_dict()
    slots = {
        f"{key} of {name}": np.array(host(array))
        for name, kept in optimizer["slots"].items()
        for key, array in kept.items()
    }
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in made.history.rows]
    others = {
        "steps": optimizer["steps"],
        "history": rows,
        "keys": made.stream.state_dict()["keys"],
        "precision": made.precision.state_dict(),
        "last loss": float(made.last_loss),
    }
    return {**host_state(made.model), **slots, **others}


def assert_alike(one: train.Trainer, other: train.Trainer) -> None:
    ours, theirs = everything(one), everything(other)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, theirs[name], err_msg=name, strict=True)
        else:
            assert value == theirs[name], name
