"""A training run from its settings to its results."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checkpoint
from ..backend import Backend, get_backend, use_backend
from ..data import Split, load_digits
from ..models import get_model
from ..nn import summary
from ..optim import SGD
from ..random import Stream
from ..schedule import OneCycleLR
from ..train import Callback, Checkpoint, Trainer
from ._errors import UsageError
from ._files import fresh_directory, latest_directory, prepare_directory
from ._results import write_results
from ._settings import new_settings, resumed_settings
from ._threads import threads_for
from ._weights import Card, in_words
from ._words import accuracy_in_words, counted

if TYPE_CHECKING:
    from ..nn import Module

CHECKPOINT = "checkpoint.safetensors"
CLASSES = 10


class RunSettings(Callback):
    """Keeps the settings of a run in its checkpoints."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)

    def state_dict(self) -> dict[str, Any]:
        """Return the settings, for the checkpoint."""
        return self.settings


def train(arguments: argparse.Namespace) -> None:
    """Train as the arguments say, test, write the results and say how it went.

    The test images are looked at after every epoch for the curves, and nothing is chosen by them.

    Raises
    ------
    UsageError, ValueError, OSError
        Before anything is trained or written, when something does not fit.
    KeyboardInterrupt
        On Ctrl-C, after the state of the run was saved; the message says how to go on.
    """
    backend = get_backend(arguments.backend)
    out, settings, done = _open(arguments)
    trainer = None
    try:
        split = load_digits()
        card = Card(settings["model"], split.test.x.shape[1:], CLASSES, settings["dataset"])
        trainer = _trainer(arguments, backend, out, settings, card, split)
        prepare_directory(out)
        _work(trainer, arguments, out, settings, card, split, done)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_leave(trainer, arguments, out, done)) from None


def _trainer(
    arguments: argparse.Namespace,
    backend: Backend,
    out: Path,
    settings: Mapping[str, Any],
    card: Card,
    split: Split,
) -> Trainer:
    with use_backend(backend):
        model = _fitting_model(card, settings["seed"], split, backend)
    return Trainer(
        model,
        optimizer=SGD(settings["lr"], momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=OneCycleLR(settings["epochs"]),
        backend=backend,
        precision=settings.get("precision"),  # not in checkpoints of older versions
        cuda_graphs=arguments.cuda_graphs,
        callbacks=[RunSettings(settings), Checkpoint(out / CHECKPOINT)],
        seed=settings["seed"],
        progress=False if arguments.quiet else "auto",
    )


def _work(
    trainer: Trainer,
    arguments: argparse.Namespace,
    out: Path,
    settings: Mapping[str, Any],
    card: Card,
    split: Split,
    done: int,
) -> None:
    """Train from step ``done`` on, test, write the results and say how it went."""

    def say(text: str) -> None:
        if not arguments.quiet:
            print(text, flush=True)

    if not done and (out / CHECKPOINT).exists():
        say(f"the run in {out} is replaced")
    say(
        f"training {card.name} ({trainer.model.num_parameters:,} parameters) on "
        f"{len(split.train):,} digits with {trainer.backend}"
        + (f", from step {done}" if done else "")
    )
    with threads_for(summary(trainer.model, card.input_shape).flops):
        trainer.fit(
            split.train,
            split.test,
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            resume=out / CHECKPOINT if done else None,
        )
        metrics = write_results(out, trainer, card, settings, split.test)
    if not math.isfinite(metrics["test_loss"]):
        print("xpconv: warning: the loss is not finite; try a smaller --lr", file=sys.stderr)
    say(f"results in {out}: {', '.join([*metrics['files'], CHECKPOINT])}")
    accuracy = accuracy_in_words(metrics["test_accuracy"], metrics["test_images"])
    epochs = counted(settings["epochs"], "epoch")
    print(f"{accuracy}, after {epochs} in {metrics['seconds']:.1f} s")


def _open(arguments: argparse.Namespace) -> tuple[Path, dict[str, Any], int]:
    """Find the directory, the settings, and how many steps of the run are done."""
    if not arguments.resume:
        out = arguments.out or fresh_directory(arguments.dataset)
        return out, new_settings(arguments), 0
    out = arguments.out or latest_directory(arguments.dataset)
    path = out / CHECKPOINT
    if not path.exists():
        raise UsageError(f"there is no run to resume in {out}: {path} does not exist")
    state = checkpoint.load(path)
    try:
        found = next(c["state"] for c in state["callbacks"] if c["kind"] == RunSettings.__name__)
        done = int(state["run"]["step"])
    except (KeyError, StopIteration) as error:
        raise UsageError(f"{path} is of a run that 'xpconv train' did not start") from error
    return out, resumed_settings(arguments, found, path), done


def _fitting_model(card: Card, seed: int, split: Split, backend: Backend) -> Module:
    """Build the model and see that it takes the images, before a directory is made for it."""
    model = get_model(
        card.name,
        num_classes=card.num_classes,
        in_channels=card.input_shape[0],
        rng=Stream(seed),
    )
    try:
        model(backend.asarray(split.train.x[:1]))
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{card.name} does not fit the {card.dataset}, whose images are "
            f"{in_words(card.input_shape)}: {error}"
        ) from error
    return model


def _leave(trainer: Trainer | None, arguments: argparse.Namespace, out: Path, done: int) -> str:
    """Save a run that was interrupted, if it has come further, and say how to go on."""
    run = None if trainer is None else trainer.run
    if trainer is not None and trainer.run.step > done:
        trainer.save(out / CHECKPOINT)
    elif not done:
        return "nothing was trained yet"
    if run is None or not run.epochs:
        where = "stopped at once"
    elif run.epoch >= run.epochs:
        where = "the training is done, the results are not all written"
    else:
        where = f"stopped in epoch {run.epoch + 1} of {run.epochs}"
    words = ["xpconv", "train", arguments.dataset, "--resume", "--out", str(out)]
    if arguments.backend is not None:
        words += ["--backend", arguments.backend]
    if arguments.cuda_graphs:
        words.append("--cuda-graphs")
    return f"{where}; go on with: {shlex.join(words)}"
