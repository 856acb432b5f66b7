"""One of every layer, with an input that it takes: what the generic layer tests run on."""

from __future__ import annotations

from tests.nn.cases.activations import ACTIVATIONS
from tests.nn.cases.containers import CONTAINERS
from tests.nn.cases.convolution import CONVOLUTION
from tests.nn.cases.normalisation import NORMALISATION
from tests.nn.cases.pooling import POOLING
from tests.nn.cases.shapes import SHAPES

CASES = [
    *CONVOLUTION,
    *POOLING,
    *NORMALISATION,
    *ACTIVATIONS,
    *SHAPES,
    *CONTAINERS,
]

# public names that are no layers
OTHERS = {
    "Input",
    "Module",
    "StateDictError",
    "Summary",
    "init",
    "observe",
    "summary",
}
