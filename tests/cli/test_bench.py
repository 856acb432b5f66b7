"""``xpconv bench``: layers and models are timed, and their engines explained."""

from __future__ import annotations

import pytest

from tests.cli.conftest import error_line
from xpconv import cli


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--layer", "2x4x3", "2x8x8"], ["forward:", "forward and backward:", " ms"]),
        (["--layer", "2x4x1", "2x8x8", "--explain"], ["1x1 2>4, 8x8, batch 16", "forward: "]),
        (
            ["--layer", "4x4x3", "4x9x9", "--groups", "4", "--stride", "2", "--explain"],
            ["stride 2x2", "4 groups", "input_grad: "],
        ),
        (["--model", "digits_cnn", "--batch-size", "2", "--explain"], ["3x3 1>", "weight_grad: "]),
    ],
)
def test_bench(capsys: pytest.CaptureFixture[str], words: list[str], parts: list[str]) -> None:
    assert cli.main(["bench", "--rounds", "1", *words]) == 0
    out = capsys.readouterr().out
    for part in parts:
        assert part in out


@pytest.mark.parametrize(
    "words", [["--layer", "2x4", "2x8x8"], ["--layer", "2x4x3"], ["--model", "nothing"]]
)
def test_what_cannot_be_timed(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(["bench", *words]) == 2
    assert error_line(capsys)
