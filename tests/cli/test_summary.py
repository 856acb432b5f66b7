"""``xpconv summary``: models by name, with any shape, and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import error_line
from xpconv import cli


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["lenet5"], ["conv1", "28 x 28", "61,706", "input 1 x 28 x 28"]),
        (["LeNet5", "3x28x28"], ["input 3 x 28 x 28", "62,006"]),
        (["resnet18_cifar", "3,32,32", "--num-classes", "100"], ["layer4.1.conv2", "11,220,132"]),
        (["digits_cnn", "--num-classes", "3"], ["input 1 x 8 x 8", "28,963"]),
    ],
)
def test_models_by_name(
    capsys: pytest.CaptureFixture[str], words: list[str], parts: list[str]
) -> None:
    assert cli.main(["summary", *words]) == 0
    out = capsys.readouterr().out
    for part in parts:
        assert part in out


def test_a_trained_model(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["summary", "digits_cnn"]) == 0
    by_name = capsys.readouterr().out
    for path in (trained, trained / "model.safetensors"):
        assert cli.main(["summary", str(path)]) == 0
        assert capsys.readouterr().out == by_name


def test_a_directory_called_as_a_model_is_not_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lenet5").mkdir()
    assert cli.main(["summary", "lenet5"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet6"], "no model is called 'lenet6'; did you mean 'lenet5'? there are: digits_cnn"),
        (["lenet5", "28"], "a model takes CxHxW, got 1 sizes"),
        (["lenet5", "1x0x28"], "argument CxHxW: must be sizes such as 3x224x224, got '1x0x28'"),
        (["lenet5", "axbxc"], "argument CxHxW: must be sizes such as 3x224x224, got 'axbxc'"),
        (["lenet5", "1x8x8"], "lenet5 does not take 1x8x8: "),
        (["lenet5", "--num-classes", "0"], "argument --num-classes: must be a whole number above"),
        (["runs/digits"], "there is no file runs/digits; 'xpconv train' writes one"),
        (["w.safetensors"], "there is no file w.safetensors; 'xpconv train' writes one"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert cli.main(["summary", *words]) == 2
    assert error_line(capsys).startswith(message)


def test_classes_of_a_trained_model(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["summary", str(trained), "--num-classes", "3"]) == 2
    assert error_line(capsys).startswith("--num-classes does not apply to ")
