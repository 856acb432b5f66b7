"""What the tests of the command line share: small data, trained runs, and how errors look."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xpconv import cli
from xpconv.cli import _results, _training
from xpconv.data import Split, load_digits
from xpconv.train import Trainer

Command = Callable[..., int]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on so few digits, and draw so little, that it takes no time."""
    monkeypatch.setattr(_training, "load_digits", small_split)
    monkeypatch.setattr(_results, "draw_learning_curves", lambda *_: b"curves")
    monkeypatch.setattr(_results, "draw_confusion", lambda *_, **__: b"matrix")


def small_split() -> Split:
    split = load_digits()
    return Split(split.train[:160], split.test[:60])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that has learnt a little; not to be written to."""
    out = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_training, "load_digits", small_split)
        patch.delenv("XPCONV_BACKEND", raising=False)
        assert train(out=out, epochs=6) == 0
    return out


def train(**options: Any) -> int:
    """``xpconv train digits --quiet``, with options by their Python names."""
    words = ["train", "digits", "--quiet"]
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        words += [] if value is True else [str(value)]
    return cli.main(words)


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that an error prints."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("xpconv: error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.removeprefix("xpconv: error: ").rstrip("\n")


@contextlib.contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """Ctrl-C in the place of a step, counted from 1."""
    taken = 0
    real = Trainer.step

    def once(self: Trainer, x: Any, y: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == step:
            raise KeyboardInterrupt
        return real(self, x, y)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "step", once)
        yield


def files_in(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}
