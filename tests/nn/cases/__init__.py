"""One of every layer, with an input that it takes: what the generic layer tests run on."""

from __future__ import annotations

from tests.nn.cases.activations import ACTIVATIONS
from tests.nn.cases.containers import CONTAINERS
from tests.nn.cases.convolution import CONVOLUTION
from tests.nn.cases.normalisation import NORMALISATION
from tests.nn.cases.pooling import POOLING
from tests.nn.cases.resampling import RESAMPLING
from tests.nn.cases.shapes import SHAPES

CASES = [
    *CONVOLUTION,
    *POOLING,
    *RESAMPLING,
    *NORMALISATION,
    *ACTIVATIONS,
    *SHAPES,
    *CONTAINERS,
]

# public names that are no layers, or take more than floating arrays (see test_unpool.py)
OTHERS = {
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Input",
    "Module",
    "Planned",
    "StateDictError",
    "Summary",
    "init",
    "observe",
    "parameter_gradients",
    "remove_parametrizations",
    "spectral_norm",
    "summary",
    "weight_norm",
}
