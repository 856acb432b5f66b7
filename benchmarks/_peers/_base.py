"""What a worker asks of a library, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._cases import Case, LayerCase, TrainingCase
from .._devices import Cpu, Device


class Unsupported(Exception):
    """The library cannot run this case, or not in reasonable time; the text says why."""


@dataclass(frozen=True)
class Job:
    """A prepared case: ``run`` is what is timed, ``outputs`` is what is compared before."""

    run: Callable[[], Any]
    outputs: Callable[[], dict[str, np.ndarray]]


class Peer(ABC):
    """A library, set up in this process: it turns cases into jobs."""

    device: Device = Cpu()

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Versions and settings for the report."""

    @abstractmethod
    def layer(self, case: LayerCase) -> Job: ...

    @abstractmethod
    def training(self, case: TrainingCase) -> Job: ...

    def peaks(self) -> dict[str, float]:
        """Operations and bytes a second of the largest product and copy, on a CPU."""
        raise Unsupported("it has no products of its own")

    def job(self, case: Case) -> Job:
        return self.layer(case) if isinstance(case, LayerCase) else self.training(case)

    def start(self, case: Case) -> None:
        """Run a case once before its memory is measured: code is loaded or compiled then."""
        self.job(case if isinstance(case, LayerCase) else replace(case, pool=1)).run()

    def let_go(self) -> None:
        """Give back memory that is kept for later calls, or as much less would be measured."""
        return  # most libraries keep none on a CPU


VERIFIED_STEPS = 3  # of training, whose losses must agree between the libraries


def layer_outputs(mode: str, arrays: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Name what a layer job returned: the output, then the three gradients."""
    names = ("y", "dx", "dweight", "dbias") if mode == "forward+backward" else ("y",)
    return dict(zip(names, arrays, strict=True))
