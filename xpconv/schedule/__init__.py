"""Learning-rate schedules: functions of time that multiply an optimiser's learning rate.

Time is counted in epochs, as a float, so that the same schedule serves any batch size: the
`Trainer` passes ``epoch + batch / batches``. A loop of one's own may count in whatever it likes,
steps for instance.
"""

from __future__ import annotations

from ._curves import (
    CosineAnnealingLR as CosineAnnealingLR,
    LambdaLR as LambdaLR,
    OneCycleLR as OneCycleLR,
    StepLR as StepLR,
)
from ._plateau import ReduceLROnPlateau as ReduceLROnPlateau
from ._schedule import Schedule as Schedule

__all__ = [
    "CosineAnnealingLR",
    "LambdaLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "Schedule",
    "StepLR",
]
