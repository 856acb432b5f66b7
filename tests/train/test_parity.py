"""Training follows PyTorch's, and every library follows every other, step by step, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import host
from tests.train.small import images, network
from xpconv import data, nn, optim, schedule, train
from xpconv.random import Stream

STEPS = 24
EPOCHS = 6
BATCH = 7  # 28 samples: four batches an epoch

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}),
    "nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.01, "weight_decay": 1e-3}),
    "adamw": ("AdamW", {"lr": 0.01}),
}


class Losses(train.Callback):
    """Keep the loss of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_batch_end(self, trainer: Any) -> None:
        self.values.append(float(host(trainer.last_loss)))


def cnn() -> nn.Sequential:
    """A small network with every kind of layer that PyTorch has too, but for random ones."""
    rng = Stream(4)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, rng=rng),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2, bias=False, rng=rng),
        nn.BatchNorm2d(8),
        nn.GELU(),
        nn.AvgPool2d(2, padding=1, count_include_pad=False),
        nn.Flatten(),
        nn.Linear(32, 3, rng=rng),
    ).to(dtype="float64")


def twin(torch: Any, model: nn.Module) -> Any:
    """PyTorch's network of the same layers, with the same weights."""
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3, padding=1),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2, bias=False),
        torch.nn.BatchNorm2d(8),
        torch.nn.GELU(),
        torch.nn.AvgPool2d(2, padding=1, count_include_pad=False),
        torch.nn.Flatten(),
        torch.nn.Linear(32, 3),
    ).double()
    layers.load_state_dict(
        {name: torch.tensor(np.array(value)) for name, value in model.state_dict().items()}
    )
    return layers


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_losses_follow_pytorch(torch: Any, kind: str, clip: float | None) -> None:
    name, settings = OPTIMIZERS[kind]
    model, digits = cnn(), images(28, dtype="float64")
    theirs = twin(torch, model)
    optimizer = getattr(torch.optim, name)(theirs.parameters(), **settings)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    expected = []
    for epoch in range(EPOCHS):
        order = data.shuffled(28, seed=9, epoch=epoch)
        for x, y in data.batches(digits, BATCH, order):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip)
            optimizer.step()
            scheduler.step()
            expected.append(loss.item())

    losses = Losses()
    trainer = train.Trainer(
        model,
        optimizer=getattr(optim, name)(**settings),
        schedule=schedule.CosineAnnealingLR(EPOCHS),
        clip_norm=clip,
        callbacks=[losses],
        seed=9,
        progress=False,
    )
    trainer.fit(digits, epochs=EPOCHS, batch_size=BATCH)
    assert len(losses.values) == STEPS
    np.testing.assert_allclose(losses.values, expected, rtol=1e-9)
    assert losses.values[-1] < 0.7 * losses.values[0]  # it has learnt something by then
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(
            model.state_dict()[key], value.numpy(), rtol=1e-7, atol=1e-10, err_msg=key
        )
    theirs.eval()
    outputs = theirs(torch.tensor(digits.x)).detach().numpy()
    np.testing.assert_allclose(trainer.predict(digits.x), outputs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_library_follows_numpy(backend: Any, kind: str) -> None:
    """With dropout: the masks are the same everywhere."""

    def run(spec: str) -> tuple[list[float], train.Trainer]:
        name, settings = OPTIMIZERS[kind]
        losses = Losses()
        trainer = train.Trainer(
            network(dtype="float64"),
            backend=spec,
            optimizer=getattr(optim, name)(**settings),
            clip_norm=1.0,
            callbacks=[losses],
            seed=9,
            progress=False,
        )
        trainer.fit(images(28), images(9, seed=1), epochs=3, batch_size=BATCH)
        return losses.values, trainer

    expected, reference = run("numpy")
    actual, trainer = run(backend.spec)
    np.testing.assert_allclose(actual, expected, rtol=1e-10)
    for column in ("loss", "accuracy", "val_loss", "val_accuracy", "lr"):
        np.testing.assert_allclose(
            trainer.history[column], reference.history[column], rtol=1e-9, err_msg=column
        )
    for key, value in reference.model.state_dict().items():
        backend.assert_close(trainer.model.state_dict()[key], np.asarray(value), rtol=1e-8)
