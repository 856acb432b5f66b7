"""The command line: ``xpconv train digits``, and what goes with it.

One file a subcommand. Each says what it takes in ``add_arguments`` and works in ``run``, which
imports what it needs, so that ``xpconv --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import numpy as np

from .. import __version__
from .._settings import check_settings
from . import (
    bench as bench,
    doctor as doctor,
    evaluate as evaluate,
    parity as parity,
    predict as predict,
    summary as summary,
    train as train,
)
from ._errors import explain
from ._output import show_compiling
from ._parser import Parser

__all__ = ["main"]

COMMANDS = (train, evaluate, predict, summary, parity, bench, doctor)
EPILOG = """\
examples:
  xpconv train digits                        train on handwritten digits, on the CPU
  xpconv train digits --backend cupy         the same on an NVIDIA GPU
  xpconv evaluate runs/digits                test what a run has left
  xpconv predict runs/digits picture.png     read one digit
  xpconv doctor                              what this machine offers

'xpconv COMMAND --help' explains a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, by default those of the process.

    Returns
    -------
    int
        The exit code: 0, 1 where the answer is no (`parity`), 2 for an error that the user can
        mend, 130 after Ctrl-C.
    """
    debug = False
    try:
        arguments = _parser().parse_args(argv)
        debug = arguments.debug
        code = _run(arguments)
        print(end="", flush=True)
    except BrokenPipeError:
        # The reader went away, as in `xpconv summary resnet18 | head`: nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"\nxpconv: interrupted{f'; {interrupt}' if interrupt.args else ''}", file=sys.stderr)
        return 130
    except Exception as error:
        message = explain(error)
        if message is None or debug:
            raise
        print(f"xpconv: error: {message}", file=sys.stderr)
        return 2
    return code


def _run(arguments: argparse.Namespace) -> int:
    """Run a subcommand; each says itself, in one line, when its numbers are not finite."""
    if arguments.run is not doctor.run:  # which lists what is wrong with the environment
        check_settings()
    show_compiling()
    with np.errstate(all="ignore"):
        code: int = arguments.run(arguments)
    return code


def _parser() -> Parser:
    parser = Parser(
        prog="xpconv",
        description="Convolutional networks on the CPU and the GPU from one code.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"xpconv {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        added = commands.add_parser(
            name, help=command.HELP, description=command.DESCRIPTION, epilog=command.EPILOG
        )
        command.add_arguments(added)
        added.add_argument(
            "--debug", action="store_true", help="show the whole traceback of an error"
        )
        added.set_defaults(run=command.run)
    return parser
