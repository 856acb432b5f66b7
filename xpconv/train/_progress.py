"""What a person sees of a run: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._callbacks import Callback

if TYPE_CHECKING:
    from ._trainer import Trainer

_REFRESH_SECONDS = 0.25
"""The loss is on the device, and reading it waits for the device: not oftener than this."""


class ProgressBar(Callback):
    """Show loss, samples a second and the remaining time.

    With rich on a terminal it is a bar; elsewhere, or without rich, one plain line an epoch.

    Parameters
    ----------
    bar : bool, optional
        Whether to draw the bar; by default, if standard output is a terminal and rich is installed.
    """

    late = True

    def __init__(self, bar: bool | None = None) -> None:
        self.bar = bar
        self._display: _Bar | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        """Open the display."""
        console = _console() if self.bar is not False else None
        if console is not None and (self.bar or console.is_terminal):
            self._display = _Bar(console, trainer)

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Show which epoch begins."""
        if self._display is not None:
            self._display.begin_epoch(trainer)

    def on_batch_end(self, trainer: Trainer) -> None:
        """Show how far it is, now and then."""
        if self._display is not None:
            self._display.advance(trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the epoch's line."""
        line = row_line(trainer.history.rows[-1], trainer.run.epochs)
        if self._display is not None:
            self._display.write(line)
        else:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the display."""
        self.on_train_abort(trainer)

    def on_train_abort(self, trainer: Trainer) -> None:
        """Close the display, so that the terminal is as it was."""
        if self._display is not None:
            self._display.close()
            self._display = None


def with_progress(callbacks: Iterable[Callback], progress: str | bool) -> list[Callback]:
    """Return callbacks in the order in which they are called, with the progress that was asked for.

    Parameters
    ----------
    callbacks : iterable of Callback
        The user's.
    progress : {"auto", "bar", "plain"} or bool
        As in `Trainer`; with a `ProgressBar` among the callbacks there is no other.
    """
    found = list(callbacks)
    if progress and not any(isinstance(callback, ProgressBar) for callback in found):
        found.append(ProgressBar(bar={"bar": True, "plain": False}.get(str(progress))))
    return sorted(found, key=lambda callback: callback.late)


def row_line(row: dict[str, Any], epochs: int) -> str:
    """Write one row of the history as a line of text."""
    width = len(str(epochs))
    parts = [f"epoch {row['epoch']:{width}}/{epochs}"]
    for name, value in row.items():
        if name == "seconds":
            parts.append(f"{value:.1f} s")
        elif name == "lr":
            parts.append(f"lr {value:.3g}")
        elif name != "epoch":
            parts.append(f"{name} {value:.4f}")
    return "  ".join(parts)


def _console() -> Any:
    """Return rich's idea of standard output, or None without rich."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=sys.stdout)


class _Bar:
    """One bar for the whole run, with a line above it for each finished epoch."""

    def __init__(self, console: Any, trainer: Trainer) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,  # the epochs' lines say it all in the end
        )
        run = trainer.run
        self._task = self._progress.add_task(
            "", total=run.epochs * run.batches, completed=run.step, numbers=""
        )
        self._progress.start()
        self.begin_epoch(trainer)

    def begin_epoch(self, trainer: Trainer) -> None:
        run = trainer.run
        self._mark = (time.perf_counter(), trainer.samples_seen)
        description = f"epoch {min(run.epoch + 1, run.epochs)}/{run.epochs}"
        self._progress.update(self._task, description=description, completed=run.step)

    def advance(self, trainer: Trainer) -> None:
        began, seen = self._mark
        now = time.perf_counter()
        if now - began < _REFRESH_SECONDS:
            return
        rate = (trainer.samples_seen - seen) / (now - began)
        numbers = [f"{name} {value:.4f}" for name, value in trainer.means.read().items()]
        self._progress.update(
            self._task,
            completed=trainer.run.step,
            numbers="  ".join([*numbers, f"{rate:,.0f} samples/s"]),
        )
        self._mark = (now, trainer.samples_seen)

    def write(self, line: str) -> None:
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()
