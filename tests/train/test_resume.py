"""A run that was killed and resumed gives bit for bit what it would have given."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends import host
from tests.train import killed
from tests.train.small import host_state, images, network
from xpconv import checkpoint, data, nn, optim, schedule, train
from xpconv.checkpoint import CheckpointError

pytest.importorskip("safetensors")

ROOT = Path(__file__).parents[2]


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit, whatever the library and wherever in the tree."""
    if hasattr(one, "shape"):
        a, b = host(one), host(other)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), where
        assert a.tobytes() == b.tobytes(), f"{where}: {a} and {b}"
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}/{index}")
    else:
        assert repr(one) == repr(other), where


# --- really killed --------------------------------------------------------------------------------


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.train.killed", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize(("step", "delay"), [(3, 0.0), (11, 0.004)])
def test_a_killed_process(tmp_path: Path, step: int, delay: float) -> None:
    """SIGKILL at some moment after a step: while computing, or while saving."""
    path, result = tmp_path / "run.safetensors", tmp_path / "result.safetensors"
    with start(str(path), str(result)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == f"step {step}\n":
                break
        time.sleep(delay)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not result.exists()

    saved_at = checkpoint.load(path)["run"]["step"]
    assert 0 < saved_at < 24
    with start(str(path), str(result), "--resume") as process:
        assert process.stdout is not None
        assert next(process.stdout) == f"step {saved_at + 1}\n"
        process.stdout.read()
    assert process.returncode == 0

    whole = killed.trainer(tmp_path / "whole.safetensors", every_steps=None, says=False)
    killed.fit(whole)
    # Both through a file, so that numbers and lists are of the same kinds.
    checkpoint.save(tmp_path / "expected.safetensors", killed.outcome(whole))
    assert_same(checkpoint.load(tmp_path / "expected.safetensors"), checkpoint.load(result))


# --- stopped at every step ------------------------------------------------------------------------


class Stop(train.Callback):
    """Save and give up at a step, or after an epoch."""

    late = True

    def __init__(self, path: Path, step: int, at_end_of_epoch: bool = False) -> None:
        self.path, self.step, self.at_end = path, step, at_end_of_epoch

    def on_batch_end(self, trainer: Any) -> None:
        if trainer.run.step == self.step and not self.at_end:
            self._give_up(trainer)

    def on_epoch_end(self, trainer: Any) -> None:
        if trainer.run.step == self.step and self.at_end:
            self._give_up(trainer)

    def _give_up(self, trainer: Any) -> None:
        trainer.save(self.path)
        raise RuntimeError("given up")


SETTINGS: dict[str, dict[str, Any]] = {
    "adam-cosine": {
        "optimizer": lambda: optim.Adam(lr=0.02, weight_decay=0.01),
        "schedule": lambda: schedule.CosineAnnealingLR(4, warmup=0.5),
    },
    "nesterov-one-cycle": {
        "optimizer": lambda: optim.SGD(lr=0.2, momentum=0.9, nesterov=True),
        "schedule": lambda: schedule.OneCycleLR(4),
    },
    "adamw-plateau": {
        "optimizer": lambda: optim.AdamW(lr=0.05),
        "schedule": lambda: schedule.ReduceLROnPlateau(
            factor=0.5, patience=0, monitor="val_accuracy", mode="max"
        ),
    },
    "sgd": {"optimizer": lambda: optim.SGD(lr=0.1), "schedule": lambda: None},
}


def make(setting: str, backend: str, callbacks: Any = (), dtype: str = "float32") -> train.Trainer:
    return train.Trainer(
        network(dtype=dtype),
        backend=backend,
        optimizer=SETTINGS[setting]["optimizer"](),
        schedule=SETTINGS[setting]["schedule"](),
        callbacks=[train.EarlyStopping("loss", 1), train.BestModel("val_loss"), *callbacks],
        seed=2,
        progress=False,
    )


def fit(trainer: train.Trainer, **settings: Any) -> train.History:
    return trainer.fit(images(10), images(7, seed=1), **{"epochs": 4, "batch_size": 4, **settings})


@pytest.mark.parametrize(
    ("setting", "step", "at_end"),
    [
        *[("adam-cosine", step, False) for step in (1, 2, 3, 5, 12)],
        *[("adam-cosine", step, True) for step in (3, 12)],
        *[(setting, step, False) for setting in list(SETTINGS)[1:] for step in (4, 6)],
        *[(setting, 6, True) for setting in list(SETTINGS)[1:]],
    ],
)
def test_resumed_at_any_step(
    backend: Any, tmp_path: Path, setting: str, step: int, at_end: bool
) -> None:
    path = tmp_path / "run.safetensors"
    whole = make(setting, backend.spec)
    fit(whole)
    with pytest.raises(RuntimeError, match="given up"):
        fit(make(setting, backend.spec, [Stop(path, step, at_end)]))
    resumed = make(setting, backend.spec)
    fit(resumed, resume=path)
    assert_same(killed.outcome(whole), killed.outcome(resumed))
    assert_same(whole.run.state_dict() | {"seconds": 0}, resumed.run.state_dict() | {"seconds": 0})


@pytest.mark.parametrize(
    ("there", "here"), list(itertools.permutations(["numpy", "torch", "array_api_strict"], 2))
)
def test_resumed_on_another_backend(torch: Any, tmp_path: Path, there: str, here: str) -> None:
    pytest.importorskip("array_api_strict")
    path = tmp_path / "run.safetensors"
    whole = make("adam-cosine", there, dtype="float64")
    fit(whole)
    with pytest.raises(RuntimeError, match="given up"):
        fit(make("adam-cosine", there, [Stop(path, 5)], dtype="float64"))
    resumed = make("adam-cosine", here, dtype="float64")
    fit(resumed, resume=path)
    assert str(resumed.model.backend).startswith(here)
    expected = host_state(whole.model)
    for name, value in host_state(resumed.model).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-7, atol=1e-9, err_msg=name)
    assert resumed.history["loss"] == pytest.approx(whole.history["loss"], rel=1e-9)


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    whole = make("adam-cosine", "numpy", [train.Checkpoint(path)])
    fit(whole)
    resumed = make("adam-cosine", "numpy", [train.Checkpoint(path)])
    assert fit(resumed, resume=path).rows == whole.history.rows
    assert_same(host_state(whole.model), host_state(resumed.model))  # the best epoch's


def test_more_epochs_than_at_first(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    whole = make("nesterov-one-cycle", "numpy")
    fit(whole)
    fit(make("nesterov-one-cycle", "numpy", [train.Checkpoint(path)]), epochs=2)
    resumed = make("nesterov-one-cycle", "numpy", [train.Checkpoint(path)])
    assert len(fit(resumed, resume=path)) == len(whole.history)
    assert_same(host_state(whole.model), host_state(resumed.model))


def test_a_run_that_stopped_early_stays_stopped(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"

    def trainer() -> train.Trainer:
        callbacks = [train.EarlyStopping("loss", 0, mode="max"), train.Checkpoint(path)]
        return train.Trainer(network(dropout=0), callbacks=callbacks, progress=False)

    first, second = trainer(), trainer()
    assert len(fit(first)) == 2
    assert len(fit(second, resume=path)) == 2
    assert second.run.stopped


def test_load_for_prediction_on_another_backend(backend: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    trained = make("adam-cosine", "numpy")
    fit(trained)
    trained.save(path)
    loaded = make("adam-cosine", backend.spec)
    loaded.load(path)
    for value in loaded.model.state_dict().values():
        assert backend.owns(value)
    x = images(5).x
    np.testing.assert_allclose(loaded.predict(x), trained.predict(x), rtol=1e-5, atol=1e-6)
    assert loaded.history.rows == trained.history.rows
    assert loaded.run == trained.run
    assert loaded.lr == trained.lr


def test_the_file_holds_no_surprises(tmp_path: Path) -> None:
    """What is not an array is JSON that a person can read."""
    path = tmp_path / "run.safetensors"
    trainer = make("adamw-plateau", "numpy")
    fit(trainer)
    trainer.save(path)
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    state = json.loads(header["__metadata__"]["state"])
    assert state["kind"] == "xpconv.Trainer"
    assert state["settings"]["seed"] == 2
    assert state["optimizer"]["hyperparameters"]["betas"] == [0.9, 0.999]
    assert "/model/0.weight" in header
    assert "/optimizer/slots/0.weight/exp_avg" in header


# --- refused --------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.safetensors"
    with pytest.raises(RuntimeError, match="given up"):
        fit(make("adam-cosine", "numpy", [Stop(path, 2)]))
    return path


def other(**settings: Any) -> train.Trainer:
    """A trainer like the one that saved, but for some settings."""
    return train.Trainer(
        **{
            "model": network(),
            "optimizer": optim.Adam(),
            "schedule": schedule.CosineAnnealingLR(4),
            "callbacks": [train.EarlyStopping("loss", 1), train.BestModel("val_loss")],
            "seed": 2,
            "progress": False,
            **settings,
        }
    )


def narrow() -> nn.Module:
    model = network()
    model[0].weight = np.zeros((4, 1, 5, 5), dtype=np.float32)
    return model


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 3}, "the checkpoint has seed 2, the trainer 3"),
        ({"optimizer": optim.SGD()}, "has the optimizer Adam, the trainer SGD"),
        ({"schedule": None}, "has the schedule CosineAnnealingLR, the trainer None"),
        ({"schedule": schedule.OneCycleLR(4)}, "CosineAnnealingLR, the trainer OneCycleLR"),
        ({"loss": "mse_loss"}, "has loss 'cross_entropy', the trainer 'mse_loss'"),
        ({"clip_norm": 1.0}, r"has clip_norm None, the trainer 1\.0"),
        ({"metrics": ()}, r"has metrics \['accuracy'\], the trainer \[\]"),
        ({"callbacks": []}, r"callbacks \['EarlyStopping', 'BestModel'\], the trainer \[\]"),
        ({"model": nn.Linear(2, 3)}, r"0\.weight in its model, .* no such key"),
        ({"model": nn.Linear(2, 3)}, r"no weight in its model, the trainer's model has it"),
        ({"model": narrow()}, r"0\.weight float32\[4, 1, 3, 3\], .* float32\[4, 1, 5, 5\]"),
        ({"model": network(dtype="float64")}, r"0\.bias float32\[4\], .* float64\[4\]"),
    ],
)
def test_another_trainer(saved: Path, settings: dict[str, Any], message: str) -> None:
    trainer = other(**settings)
    before = checkpoint_of(trainer)
    with pytest.raises(CheckpointError, match=message) as error:
        trainer.load(saved)
    assert str(saved) in str(error.value)
    with pytest.raises(CheckpointError, match=message):
        fit(trainer, resume=saved)
    assert_same(before, checkpoint_of(trainer))


def checkpoint_of(trainer: train.Trainer) -> dict[str, Any]:
    return {"model": host_state(trainer.model), "optimizer": trainer.optimizer.state_dict()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 5}, "has batch_size 4, this run 5"),
        ({"shuffle": False}, "has shuffle True, this run False"),
    ],
)
def test_another_run(saved: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        fit(other(), resume=saved, **settings)


def test_other_data(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="has training samples 10, this run 11"):
        other().fit(images(11), images(3), epochs=4, batch_size=4, resume=saved)


def test_all_differences_at_once(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"seed 2.*Adam.*batch_size 4"):
        fit(other(seed=1, optimizer=optim.SGD()), resume=saved, batch_size=3)


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    checkpoint.save(path, {"epoch": 3})
    with pytest.raises(CheckpointError, match=r"other\.safetensors holds no training run"):
        other().load(path)


def test_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    checkpoint.save_weights(path, network())
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        fit(other(), resume=path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fit(other(), resume=tmp_path / "none.safetensors")


def test_a_truncated_file(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        fit(other(), resume=saved)


def test_settings_may_be_numpy_numbers(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    settings = {"epochs": np.int64(2), "batch_size": np.int32(4)}
    saving = train.Checkpoint(path, every_epochs=np.int64(1))  # type: ignore[arg-type]
    fit(other(seed=np.int64(2), clip_norm=np.float64(1), callbacks=[saving]), **settings)
    again = other(seed=2, clip_norm=1.0, callbacks=[train.Checkpoint(path)])
    assert len(fit(again, resume=path, epochs=3, batch_size=4)) == 3


# --- half precision -------------------------------------------------------------------------------


def test_bfloat16_goes_through_the_file(torch: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    rng = np.random.default_rng(0)
    digits = data.ArrayDataset(rng.random((8, 3), dtype=np.float32), rng.integers(0, 2, 8))

    def trainer() -> train.Trainer:
        model = nn.Linear(3, 2).to("torch", dtype="bfloat16")
        return train.Trainer(
            model, optimizer=optim.SGD(lr=0.1, momentum=0.9), metrics=(), progress=False
        )

    first, second = trainer(), trainer()
    first.fit(digits, epochs=2, batch_size=4)
    first.save(path)
    second.load(path)
    for name, value in first.model.state_dict().items():
        assert value.dtype == torch.bfloat16
        assert torch.equal(value, second.model.state_dict()[name])
