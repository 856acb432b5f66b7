"""The command as a whole: help, version, errors, and what real processes see."""

from __future__ import annotations

import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import error_line, files_in
from xpconv import __version__, cli, models
from xpconv.cli import _errors, _output, _settings

ROOT = Path(__file__).parents[2]
COMMANDS = ("train", "evaluate", "predict", "summary", "parity", "doctor")


def start(*words: str, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


# --- in this process -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: xpconv {command} ")
    assert f"examples:\n  xpconv {command}" in text
    assert "--debug" in text
    assert max(map(len, text.splitlines())) <= 100


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command} " in text


def test_help_lists_the_models_that_there_are() -> None:
    assert tuple(models.MODELS) == _settings.MODEL_NAMES


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"xpconv {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND (see 'xpconv --help')"),
        (["fly"], "argument COMMAND: invalid choice: 'fly'"),
        (["doctor", "--fast"], "unrecognized arguments: --fast"),
        (["summary"], "the following arguments are required: MODEL (see 'xpconv summary --help')"),
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert cli.main(words) == 2
    assert error_line(capsys).startswith(message)


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["xpconv", "fly"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("xpconv", run_name="__main__")
    assert stop.value.code == 2
    assert "invalid choice: 'fly'" in error_line(capsys)


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.doctor, "sections", lambda report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["doctor"])


def test_debug_shows_the_traceback_of_an_error() -> None:
    with pytest.raises(_errors.UsageError):
        cli.main(["evaluate", "nowhere", "--debug"])


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (ValueError(), "ValueError"),
        (FileNotFoundError(2, "No such file or directory", "x.npy"), "x.npy: No such file"),
        (OSError("truncated picture"), "truncated picture"),
        (MemoryError("conv2d needs 12 GiB"), "conv2d needs 12 GiB"),
        (ImportError("pip install it"), "pip install it"),
        (RuntimeError("a defect"), None),
    ],
)
def test_explain(error: Exception, text: str | None) -> None:
    found = _errors.explain(error)
    assert found is None if text is None else (found or "").startswith(text)


def test_tables_on_a_terminal_are_richs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("cupy", "pip install 'xpconv[cuda13]'")]
    _output.print_table(rows, "Title")
    plain = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    _output.print_table(rows, "Title")
    fancy = capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "rich.console", None)
    _output.print_table(rows, "Title")
    assert capsys.readouterr().out == plain == "Title\n  cupy  pip install 'xpconv[cuda13]'\n\n"
    assert "pip install 'xpconv[cuda13]'" in fancy
    assert fancy != plain


# --- in processes of their own -------------------------------------------------------------------


def test_the_command_imports_nothing_heavy_before_it_works() -> None:
    code = (
        "import sys, xpconv.cli\n"
        "try: xpconv.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = 'sklearn scipy matplotlib torch cupy rich PIL safetensors'.split()\n"
        "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    code_, out, err = finish(start("-c", code))
    assert (code_, err.strip()) == (0, "")
    assert out.startswith("usage: xpconv")


def test_python_m_xpconv() -> None:
    code, out, err = finish(start("-m", "xpconv", "train", "letters"))
    assert (code, out) == (2, "")
    assert err.startswith("xpconv: error: argument DATASET")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_can_be_read_on_any_terminal(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([*command, "--help"])
    assert capsys.readouterr().out.isascii()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    process = start("-m", "xpconv", "summary", "resnet18_cifar")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_whole_run_with_a_real_ctrl_c_in_it(elsewhere: Path) -> None:
    words = ("-m", "xpconv", "train", "digits", "--batch-size", "256", "--out", "run")
    epochs = 12  # one takes a twentieth of a second, and Ctrl-C has to come before the last
    process = start(*words, "--epochs", str(epochs), cwd=elsewhere)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"epoch  1/{epochs}"):
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert err.startswith("\nxpconv: interrupted; stopped in epoch ")
    assert files_in(elsewhere / "run") == {"checkpoint.safetensors"}
    code, out, err = finish(start(*words, "--resume", "--quiet", cwd=elsewhere))
    assert (code, err) == (0, "")
    assert out.startswith("test accuracy ")
    metrics = json.loads((elsewhere / "run/metrics.json").read_text())
    assert metrics["test_images"] == 450
    assert metrics["test_accuracy"] > 0.5
    assert [row["epoch"] for row in metrics["history"]] == list(range(1, epochs + 1))


@pytest.mark.parametrize("terminal", [True, False])
def test_who_sits_at_a_terminal_hears_of_the_compiler(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("xpconv.engines.compiled")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    _output.show_compiling()
    _output.show_compiling()
    log.info("it takes a while")
    assert capsys.readouterr().err == ("xpconv: it takes a while\n" if terminal else "")
