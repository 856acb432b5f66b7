"""Switches in the environment."""

from __future__ import annotations

import pytest

from tests.refusals import refused
from xpconv._environment import switch
from xpconv._settings import check_settings

NAME = "XPCONV_NUMBA"


@pytest.mark.parametrize("text", ["1", " On", "YES", "true"])
def test_on(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    assert switch(NAME, default=False) is True


@pytest.mark.parametrize("text", ["0", "off", "No", "FALSE "])
def test_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    assert switch(NAME) is False


@pytest.mark.parametrize("default", [True, False])
def test_default(monkeypatch: pytest.MonkeyPatch, default: bool) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert switch(NAME, default) is default
    monkeypatch.setenv(NAME, "")
    assert switch(NAME, default) is default


@pytest.mark.parametrize("text", ["2", "maybe", "-1"])
def test_what_is_no_switch(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    with refused(f"the environment variable {NAME} must be 0 or 1, got '{text}'"):
        switch(NAME)


def test_check_leaves_the_backend_to_who_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", "nonsense")
    check_settings()
    monkeypatch.setenv("XPCONV_ENGINE", "nonsense")
    with refused("XPCONV_ENGINE", "there is no engine 'nonsense'"):
        check_settings()
