"""What a person sees of a run."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from typing import Any

import pytest

from tests.train.small import images, network
from xpconv import train
from xpconv.train import ProgressBar, _progress


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    return Terminal()


def fit(
    progress: Any = "auto",
    callbacks: Any = (),
    epochs: int = 2,
    screen: Terminal | None = None,
) -> None:
    trainer = train.Trainer(network(), progress=progress, callbacks=callbacks)
    with contextlib.redirect_stdout(screen) if screen else contextlib.nullcontext():
        trainer.fit(images(8), images(4), epochs=epochs, batch_size=2)


@pytest.mark.parametrize("progress", ["auto", "plain", True])
def test_a_line_an_epoch(progress: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit(progress)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for number, line in enumerate(lines, start=1):
        assert line.startswith(f"epoch {number}/2  loss ")
        for word in ("accuracy 0.", "val_loss ", "val_accuracy ", "lr 0.001", " s"):
            assert word in line
        assert "\x1b" not in line


def test_the_line_in_full() -> None:
    row = {"epoch": 3, "loss": 0.12345, "val_accuracy": 1.0, "lr": 0.0123456, "seconds": 1.26}
    assert _progress.row_line(row, 12) == (
        "epoch  3/12  loss 0.1235  val_accuracy 1.0000  lr 0.0123  1.3 s"
    )


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    fit(False)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_bar_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(_progress, "_REFRESH_SECONDS", 0.0)
    fit(screen=terminal)
    shown = terminal.getvalue()
    for word in ("epoch 1/2", "epoch 2/2", "samples/s", "loss ", "val_accuracy"):
        assert word in shown
    assert "\x1b[?25h" in shown  # the cursor is shown again


def test_plain_lines_on_a_terminal_too(terminal: Terminal) -> None:
    fit("plain", screen=terminal)
    assert "\x1b" not in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) == 2


def test_without_rich(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    fit(screen=terminal)
    assert "\x1b" not in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) == 2


def test_a_bar_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    fit("bar")
    assert "epoch 2/2" in capsys.readouterr().out


def test_the_bar_asks_the_device_now_and_then(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(_progress, "_REFRESH_SECONDS", 3600.0)
    reads = []
    read = train.Means.read
    monkeypatch.setattr(train.Means, "read", lambda self: reads.append(1) or read(self))
    fit(epochs=1, screen=terminal)
    assert len(reads) == 2  # the epoch's own, and the validation's


def test_the_bar_is_closed_on_an_error(terminal: Terminal) -> None:
    pytest.importorskip("rich")

    class Fails(train.Callback):
        def on_batch_end(self, trainer: Any) -> None:
            raise RuntimeError("no more")

    bar = ProgressBar()
    with pytest.raises(RuntimeError, match="no more"):
        fit(callbacks=[Fails(), bar], screen=terminal)
    assert "\x1b[?25h" in terminal.getvalue()
    assert bar._display is None
    bar.on_train_abort(None)  # type: ignore[arg-type]


def test_a_bar_of_ones_own_is_the_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    fit(True, callbacks=[ProgressBar(bar=False)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_rate_counts_the_samples_of_this_process(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    clock = iter(float(second) for second in range(10_000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    fit(epochs=1, screen=terminal)
    assert "samples/s" in terminal.getvalue()
