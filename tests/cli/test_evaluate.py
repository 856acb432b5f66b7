"""``xpconv evaluate``: the same accuracy as after training, on any backend."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import error_line
from xpconv import checkpoint, cli, models, nn


def test_accuracy_in_words(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(trained)]) == 0
    out, err = capsys.readouterr()
    line = r"digits_cnn on numpy: test accuracy \d+\.\d %: \d+ of 450 test digits read correctly\n"
    assert re.fullmatch(line, out)
    assert err == ""


@pytest.mark.parametrize("backend", ["numpy", "array_api_strict:device1", "torch"])
def test_json_on_every_backend(
    trained: Path, capsys: pytest.CaptureFixture[str], backend: str, torch: Any
) -> None:
    words = ["evaluate", str(trained / "model.safetensors"), "--json", "--batch-size", "200"]
    found = []
    for spec in ("numpy", backend):
        assert cli.main([*words, "--backend", spec]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[1]["backend"].startswith(backend)
    assert found[1]["images"] == 450
    assert found[1]["test_accuracy"] == pytest.approx(found[0]["test_accuracy"], abs=1 / 450)
    assert found[1]["test_loss"] == pytest.approx(found[0]["test_loss"], rel=1e-4)


def test_nothing_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "nowhere"]) == 2
    assert error_line(capsys) == "there is no file nowhere; 'xpconv train' writes one"
    Path("empty").mkdir()
    assert cli.main(["evaluate", "empty"]) == 2
    assert error_line(capsys) == (
        "there is no file empty/model.safetensors; 'xpconv train' writes one"
    )


def test_a_corrupt_file(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (trained / "model.safetensors").read_bytes()
    for content in (b"", b"nonsense", whole[:-7], whole[:50]):
        Path("w.safetensors").write_bytes(content)
        assert cli.main(["evaluate", "w.safetensors"]) == 2
        assert "w.safetensors" in error_line(capsys)


def test_a_checkpoint_is_no_weights_file(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(trained / "checkpoint.safetensors")]) == 2
    assert "holds a whole checkpoint, not weights alone" in error_line(capsys)


def test_weights_of_an_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint.save_weights("w.safetensors", nn.Linear(2, 2))
    assert cli.main(["evaluate", "w.safetensors"]) == 2
    assert error_line(capsys) == (
        "w.safetensors does not say which model it holds, so 'xpconv train' has not written it"
    )


CARD = {"model": "digits_cnn", "input_shape": "1x8x8", "num_classes": "10", "dataset": "digits"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "small_vgg"}, "w.safetensors does not hold the weights of small_vgg: Error(s)"),
        ({"model": "lenet5"}, "lenet5 does not take 1x8x8: "),
        ({"model": "abacus"}, "no model is called 'abacus'"),
        ({"num_classes": "ten"}, "w.safetensors does not say which model it holds"),
        ({"input_shape": "8 by 8"}, "w.safetensors does not say which model it holds"),
        ({"dataset": "letters"}, "w.safetensors was trained on 'letters', which is not known"),
    ],
)
def test_a_wrong_card(
    capsys: pytest.CaptureFixture[str], change: dict[str, str], message: str
) -> None:
    checkpoint.save_weights("w.safetensors", models.digits_cnn(), CARD | change)
    assert cli.main(["evaluate", "w.safetensors"]) == 2
    assert error_line(capsys).startswith(message)


def test_the_file_is_only_read(trained: Path) -> None:
    shutil.copytree(trained, "copy")
    before = {path.name: path.read_bytes() for path in Path("copy").iterdir()}
    assert cli.main(["evaluate", "copy"]) == 0
    assert {path.name: path.read_bytes() for path in Path("copy").iterdir()} == before


def test_weights_saved_by_pytorch_users_with_a_card(
    torch: Any, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    save_file(load_file(trained / "model.safetensors"), "w.safetensors", metadata=CARD)
    assert cli.main(["evaluate", "w.safetensors", "--json"]) == 0
    theirs = json.loads(capsys.readouterr().out)
    assert cli.main(["evaluate", str(trained), "--json"]) == 0
    assert np.isclose(theirs["test_loss"], json.loads(capsys.readouterr().out)["test_loss"])
