"""``xpconv parity``: the report, and an exit code that a script can use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.backends import missing
from tests.cli.conftest import error_line
from xpconv import cli, nn
from xpconv.backend import backend_of

WORDS = ["parity", "--backends", "numpy,array_api_strict:device1", "--batch-size", "3"]


def test_agreement(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(WORDS) == 0
    out = capsys.readouterr().out
    assert "conv1.weight" in out
    assert "numpy and array_api_strict:device1 agree" in out


def test_options(capsys: pytest.CaptureFixture[str], torch: Any) -> None:
    words = ["--model", "small_vgg", "--shape", "1x8x8", "--dtype", "float64", "--seed", "3"]
    assert cli.main(["parity", "--backends", "numpy, torch", *words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["backends"] == ["numpy", "torch:cpu"]
    assert report["rows"][0]["dtype"] == "float64"
    assert report["rows"][0]["shape"] == [8, 32, 8, 8]


def test_difference(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = nn.MaxPool2d.forward

    def spoiled(self: Any, x: Any, training: bool = False) -> Any:
        y, backward = real(self, x, training=training)
        return (y + 0.01 if backend_of(y).name == "array_api_strict" else y), backward

    monkeypatch.setattr(nn.MaxPool2d, "forward", spoiled)
    assert cli.main(WORDS) == 1
    assert "first in pool2\nlikely cause: a constant offset of 0.01" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backends", "numpy"], "--backends needs two names, as in numpy,cupy, got 'numpy'"),
        (["--backends", ","], "--backends needs two names"),
        (["--backends", "numpy,abacus"], "unknown backend 'abacus'"),
        (["--backends", "numpy,numpy", "--model", "x"], "no model is called 'x'"),
        (["--backends", "numpy,numpy", "--model", "lenet5", "--shape", "1x8x8"], "lenet5 does not"),
        (["--backends", "numpy,numpy", "--batch-size", "0"], "argument --batch-size: must be"),
        (["--dtype", "int8"], "argument --dtype: invalid choice: 'int8'"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert cli.main(["parity", *words]) == 2
    assert error_line(capsys).startswith(message)


def test_the_default_is_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    if missing("cupy") is None:
        pytest.skip("cupy works here")
    assert cli.main(["parity"]) == 2
    assert "cupy" in error_line(capsys)
