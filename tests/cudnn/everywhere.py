"""A pytest plugin: in every test cuDNN computes the convolutions that it can.

``pytest -p tests.cudnn.everywhere tests/ops -k cupy`` tries it on everything that operations are
tested with, on a machine where it is installed.
"""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def cudnn_first(no_ambient_choices: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cuDNN refuses, such as integers, is left to the engines that are chosen otherwise."""
    monkeypatch.setenv("XPCONV_ENGINE", "cudnn,auto")
