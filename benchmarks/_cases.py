"""What is measured: the problems as plain values, and the real random data for them.

Nothing here knows a library. A case travels to the workers as JSON, and each worker draws the
same data from the same seed, so no array ever crosses a process border.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ._drawing import PRECISIONS as PRECISIONS, matches as matches
from ._layers import (
    LAYERS as LAYERS,
    MODES as MODES,
    QUICK_LAYERS as QUICK_LAYERS,
    LayerCase as LayerCase,
    layer_case as layer_case,
    layer_cases as layer_cases,
)
from ._networks import (
    INFERENCE as INFERENCE,
    NETWORKS as NETWORKS,
    QUICK_TRAINING as QUICK_TRAINING,
    STEP as STEP,
    TRAINING as TRAINING,
    TrainingCase as TrainingCase,
)

Case = LayerCase | TrainingCase


def to_json(case: Case) -> dict[str, Any]:
    return {"kind": "layer" if isinstance(case, LayerCase) else "training", **asdict(case)}


def from_json(message: dict[str, Any]) -> Case:
    fields = {key: value for key, value in message.items() if key != "kind"}
    return LayerCase(**fields) if message["kind"] == "layer" else TrainingCase(**fields)
