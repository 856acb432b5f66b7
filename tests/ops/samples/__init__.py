"""Sample arguments for every differentiable operation: what the generic gradient tests run on.

An operation without a line here fails `test_every_operation_has_samples`, so that none can exist
whose gradient was never checked.
"""

from __future__ import annotations

from tests.ops.samples.activations import ACTIVATIONS
from tests.ops.samples.convolution import CONVOLUTION
from tests.ops.samples.losses import LOSSES
from tests.ops.samples.normalisation import NORMALISATION
from tests.ops.samples.pooling import POOLING
from tests.ops.samples.resampling import RESAMPLING
from tests.ops.samples.sample import Sample as Sample
from tests.ops.samples.shapes import SHAPES
from tests.ops.samples.windows import WINDOWS

SUBJECTS = {
    "Convolution": CONVOLUTION,
    "Windows": WINDOWS,
    "Pooling": POOLING,
    "Resampling": RESAMPLING,
    "Normalisation and regularisation": NORMALISATION,
    "Activations": ACTIVATIONS,
    "Losses": LOSSES,
    "Products and shapes": SHAPES,
}
SAMPLES = [sample for samples in SUBJECTS.values() for sample in samples]
