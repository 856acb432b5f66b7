"""Proof that two backends compute the same, layer by layer and gradient by gradient."""

from __future__ import annotations

from ._check import parity_check as parity_check
from ._report import ParityReport as ParityReport, ParityRow as ParityRow

__all__ = ["ParityReport", "ParityRow", "parity_check"]
