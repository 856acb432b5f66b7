"""Operations do not look at values: on a GPU, looking means waiting.

PyTorch's "meta" device holds shapes and dtypes and no values, so that every ``bool(x)``, ``int(x)``
or transfer to the host raises there.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests import backends
from tests.ops.samples import SAMPLES, Sample
from xpconv import ops


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_shapes_and_dtypes_are_enough(torch: Any, sample: Sample) -> None:
    # Labels out of range are refused on every device, and only that takes a look.
    with ops.labels_checked():
        arrays = [None if array is None else torch.tensor(array) for array in sample.arrays()]
        operation = getattr(ops, sample.operation)
        y, pullback = ops.vjp(operation, *sample.positional(arrays), **sample.keywords(arrays))
        gradients = pullback(y)
        nowhere = [None if array is None else array.to("meta") for array in arrays]
        shadow, shadow_pullback = ops.vjp(
            operation, *sample.positional(nowhere), **sample.keywords(nowhere)
        )
        assert (shadow.shape, shadow.dtype, shadow.device.type) == (y.shape, y.dtype, "meta")
        for ghost, gradient in zip(shadow_pullback(shadow), gradients, strict=True):
            if gradient is None:
                assert ghost is None
            else:
                assert (ghost.shape, ghost.dtype) == (gradient.shape, gradient.dtype)
                assert ghost.device.type == "meta"


@pytest.mark.parametrize("backend", ["cupy"], indirect=True)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_nothing_waits_for_the_gpu(backend: backends.Library, sample: Sample) -> None:
    arrays = [None if a is None else backend.array(a) for a in sample.arrays()]
    operation = getattr(ops, sample.operation)
    with ops.labels_checked(), backends.never_waiting():
        y, pullback = ops.vjp(operation, *sample.positional(arrays), **sample.keywords(arrays))
        pullback(y[0] if isinstance(y, tuple) else y)
