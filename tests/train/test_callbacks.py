"""Early stopping, the best model, checkpoints, and the moments that callbacks see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.small import assert_same_bits, host_state, images, network
from xpconv import checkpoint, train
from xpconv.train import BestModel, Callback, Checkpoint, EarlyStopping, History, Run


class Diary(Callback):
    """Write down every moment."""

    def __init__(self) -> None:
        self.moments: list[str] = []

    def _note(self, moment: str, trainer: Any) -> None:
        run = trainer.run
        self.moments.append(f"{moment} {run.epoch} {run.batch} {run.step}")

    def on_train_begin(self, trainer: Any) -> None:
        self._note("train begin", trainer)

    def on_epoch_begin(self, trainer: Any) -> None:
        self._note("epoch begin", trainer)

    def on_batch_end(self, trainer: Any) -> None:
        assert float(trainer.last_loss) > 0
        assert trainer.means.read()["loss"] > 0
        self._note("batch end", trainer)

    def on_epoch_end(self, trainer: Any) -> None:
        assert len(trainer.history) == trainer.run.epoch
        self._note("epoch end", trainer)

    def on_train_end(self, trainer: Any) -> None:
        self._note("train end", trainer)

    def on_train_abort(self, trainer: Any) -> None:
        self._note("train abort", trainer)


def test_moments() -> None:
    diary = Diary()
    train.Trainer(network(), callbacks=[diary], progress=False).fit(
        images(5), epochs=2, batch_size=3
    )
    assert diary.moments == [
        "train begin 0 0 0",
        *("epoch begin 0 0 0", "batch end 0 1 1", "batch end 0 2 2", "epoch end 1 0 2"),
        *("epoch begin 1 0 2", "batch end 1 1 3", "batch end 1 2 4", "epoch end 2 0 4"),
        "train end 2 0 4",
    ]


def test_the_base_class_does_nothing() -> None:
    callback = Callback()
    train.Trainer(network(), callbacks=[callback], progress=False).fit(images(5), epochs=1)
    callback.on_train_abort(None)  # type: ignore[arg-type]
    callback.load_state_dict(callback.state_dict())


def test_abort() -> None:
    class Fails(Callback):
        def on_batch_end(self, trainer: Any) -> None:
            raise RuntimeError("no more")

    diary = Diary()
    with pytest.raises(RuntimeError, match="no more"):
        train.Trainer(network(), callbacks=[diary, Fails()], progress=False).fit(
            images(5), epochs=2
        )
    assert diary.moments[-1].startswith("train abort")
    assert not any(moment.startswith("train end") for moment in diary.moments)


def test_late_callbacks_come_last(tmp_path: Path) -> None:
    """A checkpoint holds what the others did in the epoch, wherever it stands in the list."""
    path = tmp_path / "run.safetensors"
    stopping = EarlyStopping("loss")
    train.Trainer(network(), callbacks=[Checkpoint(path), stopping], progress=False).fit(
        images(5), epochs=1
    )
    saved = checkpoint.load(path)["callbacks"]
    assert saved == [{"kind": "EarlyStopping", "state": stopping.state_dict()}]
    assert stopping.best is not None


# --- watching a metric ----------------------------------------------------------------------------


class Told:
    """A trainer whose history is told to it."""

    def __init__(self, name: str, values: list[float], callback: Callback) -> None:
        self.model = network()
        self.history = History()
        self.run = Run(1, 1, True, len(values))
        callback.on_train_begin(self)  # type: ignore[arg-type]
        for epoch, value in enumerate(values, start=1):
            if self.run.over:
                break
            self.model.update({"7.bias": np.full(3, float(epoch), dtype=np.float32)})
            self.history.rows.append({"epoch": epoch, name: value})
            self.run.epoch = epoch
            callback.on_epoch_end(self)  # type: ignore[arg-type]


NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "settings", "stopped_after", "best_epoch"),
    [
        ([5, 4, 3, 2, 1], {"patience": 0}, 5, 5),
        ([3, 4, 2, 1, 1], {"patience": 0}, 2, 1),
        ([3, 4, 5, 2, 9], {"patience": 1}, 3, 1),
        ([3, 4, 2, 3, 1], {"patience": 1}, 5, 5),
        ([3, 3, 3, 3, 3], {"patience": 2}, 4, 1),
        ([3, 2.9, 2.8, 2.7], {"patience": 0, "min_delta": 0.1001}, 2, 1),
        ([3, 2.95, 2.85, 2.7], {"patience": 1, "min_delta": 0.1}, 4, 4),
        ([NAN, NAN, 1, NAN, NAN], {"patience": 1}, 2, 0),
        ([NAN, 1, NAN, 0.5], {"patience": 1}, 4, 4),
        ([1, 2, 3, 3, 3], {"patience": 0, "mode": "max"}, 4, 3),
    ],
)
def test_early_stopping(
    values: list[float], settings: dict[str, Any], stopped_after: int, best_epoch: int
) -> None:
    stopping = EarlyStopping("val_loss", **settings)
    told = Told("val_loss", values, stopping)
    assert told.run.epoch == stopped_after
    assert told.run.stopped == (stopped_after < len(values))
    assert stopping.best_epoch == best_epoch


@pytest.mark.parametrize(
    ("monitor", "mode"), [("val_loss", "min"), ("val_accuracy", "max"), ("margin", "min")]
)
def test_what_is_better(monitor: str, mode: str) -> None:
    assert EarlyStopping(monitor).mode == mode
    assert BestModel(monitor, mode="max").mode == "max"


@pytest.mark.parametrize("restore", [True, False])
def test_best_model(restore: bool) -> None:
    best = BestModel("val_loss", restore=restore)
    told = Told("val_loss", [3, 1, 2], best)
    assert best.best == 1
    assert best.best_epoch == 2
    np.testing.assert_array_equal(best.weights["7.bias"], [2, 2, 2])
    best.on_train_end(told)  # type: ignore[arg-type]
    np.testing.assert_array_equal(told.model.state_dict()["7.bias"], [2 if restore else 3] * 3)


def test_best_model_keeps_copies(backend: Any) -> None:
    best = BestModel("loss", mode="max", restore=False)
    model = network(backend.spec)
    told = Told("loss", [1.0], best)
    told.model = model
    told.history.rows.append({"epoch": 2, "loss": 2.0})
    best.on_epoch_end(told)  # type: ignore[arg-type]
    assert list(best.weights) == list(model.state_dict())
    for name, value in model.state_dict().items():
        assert best.weights[name] is not value
        assert backend.owns(best.weights[name])


def test_best_model_without_any_number() -> None:
    best = BestModel("loss")
    told = Told("loss", [NAN, NAN], best)
    best.on_train_end(told)  # type: ignore[arg-type]
    np.testing.assert_array_equal(told.model.state_dict()["7.bias"], [2, 2, 2])


def test_the_best_epoch_is_what_fit_leaves() -> None:
    best = BestModel("val_accuracy")
    trainer = train.Trainer(network(), callbacks=[best], progress=False)
    judged_by = images(30, seed=3)
    history = trainer.fit(images(), judged_by, epochs=4, batch_size=4)
    assert best.best == max(history["val_accuracy"])
    assert trainer.evaluate(judged_by)["accuracy"] == best.best
    assert_same_bits(
        {name: np.asarray(value) for name, value in best.weights.items()},
        host_state(trainer.model),
    )


def test_fit_stops_early_and_forgets_it_the_next_time() -> None:
    stopping = EarlyStopping("loss", patience=1, mode="max")  # the loss falls: that is worse
    trainer = train.Trainer(network(dropout=0), callbacks=[stopping], progress=False)
    assert len(trainer.fit(images(), epochs=9)) == 3
    assert trainer.run.stopped
    assert len(trainer.fit(images(), epochs=9)) >= 3
    assert stopping.best_epoch == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=-1), "patience must be at least 0, got -1"),
        (lambda: EarlyStopping(min_delta=-1), "min_delta must be at least 0"),
        (lambda: EarlyStopping(mode="best"), "mode must be 'auto', 'min' or 'max'"),
        (lambda: BestModel(mode="best"), "mode must be 'auto', 'min' or 'max'"),
        (lambda: Checkpoint("x", every_epochs=0), "every_epochs must be at least 1, got 0"),
        (lambda: Checkpoint("x", every_steps=0), "every_steps must be at least 1, got 0"),
    ],
)
def test_bad_settings(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [2, 4, 6, 8, 10]),
        ({"every_epochs": 2}, [4, 8, 10]),
        ({"every_epochs": 99, "every_steps": 3}, [3, 6, 9, 10]),
        ({"every_epochs": 99}, [10]),
    ],
)
def test_when_checkpoints_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], expected: list[int]
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(train.Trainer, "save", lambda self, path: steps.append(self.run.step))
    saving = Checkpoint(tmp_path / "new" / "run.safetensors", **settings)
    train.Trainer(network(), callbacks=[saving], progress=False).fit(
        images(6), epochs=5, batch_size=3
    )
    assert steps == expected
    assert saving.path.parent.is_dir()


def test_a_run_that_stops_early_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    callbacks = [Checkpoint(path, every_epochs=99), EarlyStopping("loss", 0, mode="max")]
    train.Trainer(network(dropout=0), callbacks=callbacks, progress=False).fit(images(), epochs=9)
    run = checkpoint.load(path)["run"]
    assert run["stopped"]
    assert run["epoch"] == 2
