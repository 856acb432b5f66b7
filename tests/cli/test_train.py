"""``xpconv train``: what it leaves, how it goes on, and what it refuses before it begins."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import error_line, files_in, interrupted_at, train
from tests.models.twins import make_twins
from xpconv import checkpoint, cli, nn
from xpconv.cli import _threads, _training
from xpconv.train import Trainer

FILES = {
    "metrics.json",
    "model.safetensors",
    "learning_curves.png",
    "confusion_matrix.png",
    "checkpoint.safetensors",
}

pytestmark = pytest.mark.usefixtures("few_digits")


def weights(out: Path) -> dict[str, np.ndarray]:
    return checkpoint.load_weights(out / "model.safetensors")


def same_weights(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def history(out: Path) -> list[dict[str, float]]:
    rows = json.loads((out / "metrics.json").read_text())["history"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


# --- what it leaves ------------------------------------------------------------------------------


def test_a_run_says_what_it_does_and_ends_with_the_accuracy_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["train", "digits", "--epochs", "2", "--out", "a/b"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "training digits_cnn (30,762 parameters) on 160 digits with numpy"
    assert [line.split()[:2] for line in lines[1:3]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert lines[3] == (
        "results in a/b: metrics.json, model.safetensors, learning_curves.png, "
        "confusion_matrix.png, checkpoint.safetensors"
    )
    last = (
        r"test accuracy \d+\.\d %: \d+ of 60 test digits read correctly, after 2 epochs in [\d.]+ s"
    )
    assert re.fullmatch(last, lines[4])
    assert files_in(Path("a/b")) == FILES


def test_precision(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """On the CPU the run is the same as without, and the command says so."""
    from xpconv.cli._settings import PRECISIONS
    from xpconv.train import _precision

    assert PRECISIONS == _precision.PRECISIONS
    assert train(epochs=1, out="half", precision="fp16") == 0
    assert "precision 'fp16' is for GPUs: numpy on the CPU computes in float32" in caplog.text
    assert train(epochs=1, out="plain") == 0
    assert same_weights(Path("half"), Path("plain"))
    settings = json.loads(Path("half/metrics.json").read_text())["settings"]
    assert settings["precision"] == "fp16"
    capsys.readouterr()
    arguments = ["train", "digits", "--resume", "--out", "half", "--precision", "bf16"]
    assert cli.main(arguments) == 2
    assert "--precision is fp16 in" in error_line(capsys)


def test_cuda_graphs(caplog: pytest.LogCaptureFixture) -> None:
    """On the CPU the run is the same as without, and the command says so."""
    assert train(epochs=1, out="graphs", cuda_graphs=True) == 0
    assert "steps are taken one by one, because numpy on the CPU has no CUDA graphs" in caplog.text
    assert train(epochs=1, out="without") == 0
    assert same_weights(Path("graphs"), Path("without"))


def test_quiet_prints_the_result_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(epochs=1, out="x") == 0
    out, err = capsys.readouterr()
    assert out.startswith("test accuracy ")
    assert out.count("\n") == 1
    assert err == ""


def test_metrics(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["test_images"] == 60
    assert metrics["test_accuracy"] * 60 == pytest.approx(round(metrics["test_accuracy"] * 60))
    assert metrics["backend"] == "numpy"
    assert metrics["parameters"] == 30762
    assert metrics["seconds"] == pytest.approx(sum(r["seconds"] for r in metrics["history"]))
    assert metrics["settings"] == {
        "dataset": "digits",
        "model": "digits_cnn",
        "epochs": 6,
        "batch_size": 32,
        "lr": 0.05,
        "seed": 0,
        "precision": None,
    }
    assert {"python", "xpconv", "numpy", "scikit-learn"} <= set(metrics["versions"])
    assert len(metrics["history"]) == 6
    assert metrics["history"][-1]["val_accuracy"] == metrics["test_accuracy"]
    assert metrics["history"][-1]["loss"] < metrics["history"][0]["loss"]


def test_pictures(trained: Path) -> None:
    for name in ("learning_curves.png", "confusion_matrix.png"):
        assert (trained / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_anyone_can_read_the_files(trained: Path) -> None:
    if os.name != "posix":
        pytest.skip("permissions are POSIX's")
    modes = {(trained / name).stat().st_mode & 0o777 for name in FILES}
    assert len(modes) == 1


def test_weights_are_pytorchs(torch: Any, trained: Path) -> None:
    from safetensors.torch import load_file

    from tests.cli.conftest import small_split

    twin = make_twins(torch)["digits_cnn"]()
    twin.load_state_dict(load_file(trained / "model.safetensors"))
    test = small_split().test
    with torch.no_grad():
        predictions = twin.eval()(torch.tensor(test.x)).argmax(dim=1).numpy()
    metrics = json.loads((trained / "metrics.json").read_text())
    assert np.mean(predictions == test.y) == pytest.approx(metrics["test_accuracy"])


def test_weights_say_which_model_they_are(trained: Path) -> None:
    metadata = checkpoint.load_metadata(trained / "model.safetensors")
    assert metadata["model"] == "digits_cnn"
    assert metadata["input_shape"] == "1x8x8"
    assert metadata["num_classes"] == "10"
    assert metadata["dataset"] == "digits"


def test_same_seed_same_run() -> None:
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert train(out=out, epochs=2, seed=seed) == 0
    assert same_weights(Path("a"), Path("b"))
    assert history(Path("a")) == history(Path("b"))
    assert not same_weights(Path("a"), Path("c"))


def test_another_backend_and_the_settings_of_a_user(torch: Any) -> None:
    options = {"backend": "torch", "model": "small_vgg", "batch_size": 80, "lr": 0.001}
    assert train(out="x", epochs=1, **options) == 0
    metrics = json.loads(Path("x/metrics.json").read_text())
    assert metrics["backend"] == "torch:cpu"
    assert metrics["settings"]["model"] == "small_vgg"
    assert metrics["settings"]["batch_size"] == 80
    assert metrics["settings"]["lr"] == 0.001
    assert "torch" in metrics["versions"]


def test_the_environment_chooses_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", "array_api_strict")
    assert train(out="x", epochs=1) == 0
    assert "array_api_strict" in json.loads(Path("x/metrics.json").read_text())["backend"]


def test_default_directories_are_not_taken_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        assert train(epochs=1) == 0
    assert files_in(Path("runs")) == {"digits", "digits-2", "digits-3"}


def test_a_directory_of_results_can_be_written_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(out="x", epochs=2) == 0
    capsys.readouterr()
    assert cli.main(["train", "digits", "--out", "x", "--epochs", "1", "--seed", "1"]) == 0
    assert capsys.readouterr().out.startswith("the run in x is replaced\n")
    assert json.loads(Path("x/metrics.json").read_text())["settings"]["seed"] == 1
    assert len(history(Path("x"))) == 1
    assert files_in(Path("x")) == FILES


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_run_that_diverges_says_so_and_leaves_whole_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(out="x", epochs=2, lr=1e30) == 0
    assert capsys.readouterr().err == (
        "xpconv: warning: the loss is not finite; try a smaller --lr\n"
    )
    text = Path("x/metrics.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["test_loss"] is None


# --- going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 6, 12])
def test_a_run_that_was_interrupted_goes_on_as_if_nothing_had_happened(
    step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of five steps an epoch, the second is in its middle and the sixth begins one.
    assert train(out="whole", epochs=3) == 0
    with interrupted_at(step):
        assert train(out="parts", epochs=3) == 130
    err = capsys.readouterr().err
    assert err == (
        f"\nxpconv: interrupted; stopped in epoch {(step - 1) // 5 + 1} of 3; go on with: "
        "xpconv train digits --resume --out parts\n"
    )
    assert files_in(Path("parts")) == {"checkpoint.safetensors"}
    with interrupted_at(2):
        assert train(out="parts", resume=True) == 130
    assert train(out="parts", resume=True) == 0
    assert same_weights(Path("whole"), Path("parts"))
    assert history(Path("whole")) == history(Path("parts"))
    assert files_in(Path("parts")) == FILES


def test_going_on_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    with interrupted_at(5):
        assert train(epochs=2) == 130
    capsys.readouterr()
    assert cli.main(["train", "digits", "--resume"]) == 0
    out = capsys.readouterr().out
    assert "with numpy, from step 4\n" in out
    assert files_in(Path("runs")) == {"digits"}


def test_the_advice_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    with interrupted_at(2):
        assert train(out="my runs/a", epochs=1, backend="array_api_strict:device1") == 130
    advice = capsys.readouterr().err.partition("go on with: ")[2]
    words = shlex.split(advice)
    assert words[-2:] == ["--backend", "array_api_strict:device1"]
    assert cli.main(words[1:]) == 0


def test_the_latest_run_is_gone_on_with() -> None:
    assert train(epochs=1) == 0
    with interrupted_at(2):
        assert train(epochs=1, seed=5) == 130
    assert train(resume=True) == 0
    assert json.loads(Path("runs/digits-2/metrics.json").read_text())["settings"]["seed"] == 5


def test_going_on_with_a_run_that_is_over_writes_the_results_again() -> None:
    assert train(out="x", epochs=2) == 0
    before = history(Path("x")), weights(Path("x"))
    for name in FILES - {"checkpoint.safetensors"}:
        Path("x", name).unlink()
    assert train(out="x", resume=True) == 0
    assert history(Path("x")) == before[0]
    assert files_in(Path("x")) == FILES


def test_going_on_on_another_backend(torch: Any) -> None:
    with interrupted_at(2):
        assert train(out="x", epochs=1) == 130
    assert train(out="x", resume=True, backend="torch") == 0
    assert json.loads(Path("x/metrics.json").read_text())["backend"] == "torch:cpu"


def test_ctrl_c_before_the_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    with interrupted_at(1):
        assert train(out="x") == 130
    assert capsys.readouterr().err == "\nxpconv: interrupted; nothing was trained yet\n"
    assert files_in(Path("x")) == set()


def test_ctrl_c_while_going_on_keeps_what_there_was() -> None:
    with interrupted_at(4):
        assert train(out="x", epochs=2) == 130
    before = Path("x/checkpoint.safetensors").read_bytes()
    with interrupted_at(1):
        assert train(out="x", resume=True) == 130
    assert Path("x/checkpoint.safetensors").read_bytes() == before


def test_ctrl_c_outside_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_training, "write_results", interrupt)
    assert train(out="x", epochs=1) == 130
    assert capsys.readouterr().err == (
        "\nxpconv: interrupted; the training is done, the results are not all written; "
        "go on with: xpconv train digits --resume --out x\n"
    )
    assert files_in(Path("x")) == {"checkpoint.safetensors"}
    monkeypatch.setattr(_training, "load_digits", interrupt)
    assert train(out="x", resume=True) == 130
    assert capsys.readouterr().err == (
        "\nxpconv: interrupted; stopped at once; go on with: xpconv train digits --resume --out x\n"
    )
    assert train(out="y") == 130
    assert capsys.readouterr().err == "\nxpconv: interrupted; nothing was trained yet\n"


def test_ctrl_c_before_the_first_step_does_not_lead_into_an_older_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(out="x", epochs=1) == 0
    capsys.readouterr()
    with interrupted_at(1):
        assert train(out="x", epochs=1, seed=1) == 130
    assert capsys.readouterr().err == "\nxpconv: interrupted; nothing was trained yet\n"


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [("seed", 1, "--seed"), ("batch_size", 8, "--batch-size"), ("model", "lenet5", "--model")],
)
def test_a_resumed_run_keeps_its_settings(
    capsys: pytest.CaptureFixture[str], option: str, value: Any, name: str
) -> None:
    with interrupted_at(2):
        train(out="x", epochs=1)
    capsys.readouterr()
    assert train(out="x", resume=True, **{option: value}) == 2
    line = error_line(capsys)
    assert line.startswith(f"{name} is ")
    assert line.endswith(f"not {value}: a resumed run keeps its settings")


def test_the_settings_may_be_said_again() -> None:
    with interrupted_at(2):
        train(out="x", epochs=1)
    assert train(out="x", resume=True, epochs=1, seed=0) == 0


def test_nothing_to_go_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(resume=True) == 2
    assert error_line(capsys) == "there is no run to resume: runs/digits does not exist"
    assert train(resume=True, out="none") == 2
    assert error_line(capsys) == (
        "there is no run to resume in none: none/checkpoint.safetensors does not exist"
    )
    assert files_in(Path()) == set()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100])
def test_a_corrupt_checkpoint(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    Path("x").mkdir()
    Path("x/checkpoint.safetensors").write_bytes(content)
    assert train(out="x", resume=True) == 2
    assert "x/checkpoint.safetensors" in error_line(capsys)
    assert files_in(Path("x")) == {"checkpoint.safetensors"}


def test_a_truncated_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(out="x", epochs=1) == 0
    capsys.readouterr()
    path = Path("x/checkpoint.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    before = {name: Path("x", name).read_bytes() for name in FILES}
    assert train(out="x", resume=True) == 2
    assert "x/checkpoint.safetensors" in error_line(capsys)
    assert {name: Path("x", name).read_bytes() for name in FILES} == before


def test_a_checkpoint_of_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x").mkdir()
    path = "x/checkpoint.safetensors"
    Trainer(nn.Linear(2, 2)).save(path)
    assert train(out="x", resume=True) == 2
    assert error_line(capsys) == f"{path} is of a run that 'xpconv train' did not start"
    checkpoint.save_weights(path, nn.Linear(2, 2))
    assert train(out="x", resume=True) == 2
    assert "not a checkpoint" in error_line(capsys)


# --- refusals, before anything is written --------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["letters"], "argument DATASET: invalid choice: 'letters'"),
        ([], "the following arguments are required: DATASET"),
        (["digits", "--epochs", "0"], "argument --epochs: must be a whole number above 0, got '0'"),
        (["digits", "--epochs", "many"], "argument --epochs: must be a whole number above 0"),
        (["digits", "--batch-size", "-1"], "argument --batch-size: must be a whole number"),
        (["digits", "--lr", "0"], "argument --lr: must be a number above 0, got '0'"),
        (["digits", "--lr", "nan"], "argument --lr: must be a number above 0, got 'nan'"),
        (["digits", "--lr", "inf"], "argument --lr: must be a number above 0, got 'inf'"),
        (["digits", "--lr", "fast"], "argument --lr: must be a number above 0, got 'fast'"),
        (["digits", "--seed", "-1"], "argument --seed: "),
        (["digits", "--seed", "4294967296"], "argument --seed: must be a whole number from 0 to"),
        (["digits", "--model", "transformer"], "no model is called 'transformer'; there are: "),
        (["digits", "--epoch", "1"], "unrecognized arguments: --epoch 1"),
        (["digits", "--backend", "abacus"], "unknown backend 'abacus'"),
        (["digits", "--backend", "numpy:1"], "the numpy backend has one device"),
        (
            ["digits", "--model", "lenet5"],
            "lenet5 does not fit the digits, whose images are 1x8x8: ",
        ),
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert cli.main(["train", *words]) == 2
    assert error_line(capsys).startswith(message)
    assert files_in(Path()) == set()


def test_a_backend_that_cannot_work(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.backends import missing

    if missing("cupy") is None:
        pytest.skip("cupy works here")
    assert train(backend="cupy") == 2
    line = error_line(capsys)
    assert "cupy" in line
    assert files_in(Path()) == set()


def test_an_extra_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name in ("sklearn", "matplotlib") else real(name, *rest),
    )
    assert train() == 2
    assert error_line(capsys) == (
        "this needs scikit-learn, matplotlib: pip install 'xpconv[train]'"
    )


def test_out_that_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("precious")
    assert train(out="taken") == 2
    assert error_line(capsys) == "--out taken: taken is not a directory"
    assert train(out="taken/below") == 2
    assert "is not a directory" in error_line(capsys)
    assert Path("taken").read_text() == "precious"


def test_out_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", denied)
    assert train(out="x") == 2
    assert error_line(capsys) == "cannot write to --out x: Permission denied"


def test_a_disk_that_is_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert train(out="x", epochs=1) == 2
    assert "No space left on device" in error_line(capsys)
    assert files_in(Path("x")) == set()


@pytest.mark.parametrize(
    ("flops", "variables", "limited"),
    [(10**6, {}, True), (10**9, {}, False), (10**6, {"OMP_NUM_THREADS": "2"}, False)],
)
def test_small_work_gets_one_thread(
    monkeypatch: pytest.MonkeyPatch, flops: int, variables: dict[str, str], limited: bool
) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads() -> list[int]:
        return [p["num_threads"] for p in threadpoolctl.threadpool_info()]

    for name in _threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = threads()
    with _threads.threads_for(flops):
        assert threads() == ([1] * len(before) if limited else before)
    assert threads() == before
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with _threads.threads_for(flops):
        pass


def test_a_model_too_large_for_the_memory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Trainer, "step", fails)
    assert train(out="x") == 2
    assert error_line(capsys) == "out of memory; try a smaller --batch-size"


def test_equal_runs_write_equal_weights() -> None:
    for out in ("a", "b"):
        assert train(out=out, epochs=1) == 0
    one, other = (Path(out, "model.safetensors").read_bytes() for out in ("a", "b"))
    assert one == other


def test_one_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(out="x", epochs=1) == 0
    assert ", after 1 epoch in " in capsys.readouterr().out


@pytest.mark.parametrize("command", [["train", "digits"], ["parity", "--backends", "numpy,numpy"]])
def test_a_bad_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("XPCONV_WORKSPACE", "abc")
    assert cli.main(command) == 2
    assert error_line(capsys) == (
        "the environment variable XPCONV_WORKSPACE: "
        "a size in bytes is a number or a text such as '64MB', got 'abc'"
    )
    assert cli.main(["doctor"]) == 0  # which says so among the rest
    assert files_in(Path()) == set()
