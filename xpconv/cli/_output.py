"""What people see: tables, by rich to a terminal where it is installed, and why they wait."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence


def print_table(rows: Sequence[tuple[str, str]], title: str) -> None:
    """Print lines of a name and a text under a title."""
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table
        except ImportError:
            pass
        else:
            table = Table(
                title=title,
                title_style="bold",
                title_justify="left",
                box=None,
                show_header=False,
                padding=(0, 1, 0, 2),
            )
            table.add_column(style="cyan", no_wrap=True)
            table.add_column(overflow="fold")
            for name, text in rows:
                table.add_row(_plain(name), _plain(text))
            Console().print(table, "")
            return
    width = max((len(name) for name, _ in rows), default=0)
    print(title)
    for name, text in rows:
        print(f"  {name:{width}}  {text}")
    print()


class _Said(logging.Handler):
    """Writes to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"xpconv: {record.getMessage()}", file=sys.stderr)


def show_compiling() -> None:
    """Let the engines tell who sits at a terminal that code is compiled for the first time."""
    log = logging.getLogger("xpconv.engines.compiled")
    if sys.stderr.isatty() and not log.handlers:
        log.addHandler(_Said())
        log.setLevel(logging.INFO)
        log.propagate = False


def _plain(text: str) -> object:
    """Keep square brackets, as in ``xpconv[train]``, from being read as rich's markup."""
    from rich.text import Text

    return Text(text)
