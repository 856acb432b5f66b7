"""Fixtures and reports of all tests: the array libraries, Hypothesis' profiles, loud skips."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

# Test arrays are small: on a busy machine BLAS threads wait for one another far longer than they
# work. This has to be said before NumPy is imported.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tests import backends  # noqa: E402

hypothesis.settings.register_profile("dev", max_examples=10, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=25, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("intense", max_examples=500, deadline=None)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(scope="session", params=list(backends.LIBRARIES))
def backend(request: pytest.FixtureRequest) -> backends.Library:
    """Each array library in turn; see `tests.backends.Library`."""
    backends.need(request.param)
    return backends.Library(request.param)


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch, for the tests that compare with it."""
    backends.need("torch")
    import torch

    return torch


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240229)


@pytest.fixture(autouse=True)
def no_ambient_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's environment does not choose backends or budgets for the tests."""
    monkeypatch.delenv("XPCONV_BACKEND", raising=False)
    monkeypatch.delenv("XPCONV_WORKSPACE", raising=False)
    monkeypatch.delenv("XPCONV_ENGINE", raising=False)


def pytest_configure(config: pytest.Config) -> None:
    backends.required(), backends.only()  # an unknown name in the environment stops the run here
    backends.require_numba()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what runs in its background so; the tests of Ctrl-C need it to arrive.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        label = backends.label_of(getattr(getattr(item, "callspec", None), "params", {}))
        if label:
            item.user_properties.append(("backend", label))
        kept[backends.wanted(label)].append(item)
    if kept[False]:
        config.hook.pytest_deselected(items=kept[False])
        items[:] = kept[True]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which libraries the tests ran on, which not and why, and why tests were skipped."""
    say = terminalreporter.write_line
    outcomes = {
        outcome: terminalreporter.stats.get(outcome, [])
        for outcome in ("passed", "failed", "skipped")
    }
    reports = [
        report
        for reports in outcomes.values()
        for report in reports
        if report.when == "call" or report.skipped
    ]
    terminalreporter.section("array libraries")
    for label, (ran, skipped) in backends.ran_and_skipped(reports).items():
        if not backends.wanted(label):
            say(f"{label:9} not asked for")
        elif skipped and not ran:
            say(f"{label:9} NOT RUN: {backends.missing(label)}", red=True)
        else:
            say(f"{label:9} {ran} tests ran")
    reasons = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in outcomes["skipped"]
    )
    for reason, count in reasons.most_common():
        say(f"{count} skipped: {reason.removeprefix('Skipped: ')}", yellow=True)
