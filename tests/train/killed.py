"""A training run for another process: killed in the middle, or resumed to the end.

``python -m tests.train.killed CHECKPOINT RESULT [--resume]`` says ``step N`` after every step.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.train.small import images, network
from xpconv import checkpoint, optim, schedule, train


class Says(train.Callback):
    """Say each step aloud, so that the other process knows when to kill this one."""

    def on_batch_end(self, trainer: Any) -> None:
        sys.stdout.write(f"step {trainer.run.step}\n")
        sys.stdout.flush()


def trainer(path: Path, every_steps: int | None = 2, says: bool = True) -> train.Trainer:
    """Everything that has a state: dropout, batch norm, Adam, a plateau, both watchers."""
    callbacks: list[train.Callback] = [
        train.Checkpoint(path, every_epochs=2, every_steps=every_steps),
        train.EarlyStopping("val_loss", patience=3),
        train.BestModel("val_accuracy"),
    ]
    return train.Trainer(
        network(),
        optimizer=optim.AdamW(lr=0.02),
        schedule=schedule.ReduceLROnPlateau(factor=0.5, patience=0, warmup=1),
        clip_norm=1.0,
        callbacks=[*callbacks, Says()] if says else callbacks,
        seed=5,
        progress=False,
    )


def fit(trainer: train.Trainer, resume: Path | None = None) -> train.History:
    return trainer.fit(images(20), images(9, seed=1), epochs=6, batch_size=6, resume=resume)


def outcome(trainer: train.Trainer) -> dict[str, Any]:
    """All that a resumed run must have in common with one that was never killed."""
    return {
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": trainer.schedule.state_dict() if trainer.schedule else None,
        "stream": trainer.stream.state_dict(),
        "callbacks": [c.state_dict() for c in trainer.callbacks if c.state_dict()],
        "history": [
            {name: value for name, value in row.items() if name != "seconds"}
            for row in trainer.history
        ],
    }


def main() -> None:
    path, result = Path(sys.argv[1]), Path(sys.argv[2])
    training = trainer(path)
    fit(training, resume=path if "--resume" in sys.argv else None)
    checkpoint.save(result, outcome(training))


if __name__ == "__main__":
    main()
