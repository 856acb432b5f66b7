"""``xpconv doctor``: a table for people, JSON for programs, whatever is broken."""

from __future__ import annotations

import json

import pytest

from xpconv import __version__, cli


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for title in ("Versions", "Backends", "Devices", "CUDA", "Threads", "TF32", "Choice"):
        assert f"{title}\n" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["xpconv"] == __version__


def test_a_wrong_environment_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", "abacus")
    assert cli.main(["doctor"]) == 0
    assert "cannot tell: ValueError: unknown backend 'abacus'" in capsys.readouterr().out
