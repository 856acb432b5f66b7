"""What PyTorch refuses we refuse, and nothing else: options drawn without regard to legality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from tests.backends import Library
from xpconv import ops

odd = st.sampled_from([1, 1, 1, 2, 2, 3, 0, -1])
sizes = st.sampled_from([1, 2, 3, 4, 5, 6, 7])


def either(entry: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    """One number, or a tuple that is mostly of the right length.

    Not a tuple of one: PyTorch spreads it here and refuses it there; we always spread it.
    """
    pair = st.tuples(entry, entry)
    return st.one_of(entry, pair, pair, st.tuples(entry, entry, entry))


images = st.one_of(
    st.tuples(st.integers(0, 2), st.integers(1, 4), sizes, sizes),
    st.tuples(st.integers(1, 4), sizes, sizes),
    st.lists(st.integers(1, 4), max_size=5).map(tuple),
)


def verdict(call: Callable[[], Any], *refusals: type[Exception]) -> Any:
    """The shape of what a call returns, or the error that it raises."""
    try:
        return tuple(call().shape)
    except refusals as error:
        return error


def same_verdict(theirs: Callable[[], Any], ours: Callable[[], Any]) -> None:
    """Both give an array of the same shape, or both raise (ours a ValueError or a TypeError)."""
    expected = verdict(theirs, RuntimeError, ValueError, TypeError, IndexError)
    actual = verdict(ours, ValueError, TypeError)
    if isinstance(expected, Exception):
        assert isinstance(actual, Exception), f"gives {actual}; PyTorch says: {expected}"
    else:
        assert actual == expected


# A warning about the time that "same" takes with even kernels; it comes once, so at a random place.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
more = settings(max_examples=max(60, settings.default.max_examples))


@more
@given(
    x=images,
    weight=st.tuples(st.integers(1, 4), st.integers(1, 4), sizes, sizes),
    bias=st.one_of(st.none(), st.just("O"), st.integers(1, 4)),
    stride=either(odd),
    padding=st.one_of(either(odd), st.sampled_from(["same", "valid", "full"])),
    dilation=either(odd),
    groups=st.sampled_from([1, 1, 1, 2, 2, 3, 0, -1]),
)
def test_conv2d(backend: Library, torch, x, weight, bias, **options) -> None:
    shapes = [x, weight, None if bias is None else (weight[0] if bias == "O" else bias,)]
    arrays = [None if shape is None else np.ones(shape) for shape in shapes]
    tensors = [None if array is None else torch.tensor(array) for array in arrays]
    here = [None if array is None else backend.array(array) for array in arrays]
    if min(*np.ravel(options["stride"]), *np.ravel(options["dilation"]), 1) < 1:
        # Always by us; PyTorch looks less closely where the batch is empty.
        assert isinstance(verdict(lambda: ops.conv2d(*here, **options), ValueError), ValueError)
        return
    same_verdict(
        lambda: torch.nn.functional.conv2d(*tensors, **options),
        lambda: ops.conv2d(*here, **options),
    )


@more
@given(
    x=images,
    kernel_size=either(odd),
    stride=st.one_of(st.none(), either(odd)),
    padding=either(st.sampled_from([0, 0, 1, 1, 2, -1])),
    dilation=either(odd),
    ceil_mode=st.booleans(),
)
def test_max_pool2d(backend: Library, torch, x, **options) -> None:
    same_verdict(
        lambda: torch.nn.functional.max_pool2d(torch.ones(x), **options),
        lambda: ops.max_pool2d(backend.array(np.ones(x)), **options),
    )


@more
@given(
    x=images,
    kernel_size=either(odd),
    stride=st.one_of(st.none(), either(odd)),
    padding=either(st.sampled_from([0, 0, 1, 1, 2, -1])),
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    divisor_override=st.sampled_from([None, None, 1, -2, 0]),
)
def test_avg_pool2d(backend: Library, torch, x, **options) -> None:
    same_verdict(
        lambda: torch.nn.functional.avg_pool2d(torch.ones(x), **options),
        lambda: ops.avg_pool2d(backend.array(np.ones(x)), **options),
    )


@more
@given(
    x=images.filter(lambda shape: len(shape) < 5),  # volumes have windows here
    kernel_size=st.one_of(odd, st.tuples(odd, odd)),
    dilation=either(odd),
    padding=either(st.sampled_from([0, 0, 1, 2, -1])),
    stride=either(odd),
)
def test_unfold(backend: Library, torch, x, **options) -> None:
    same_verdict(
        lambda: torch.nn.functional.unfold(torch.ones(x), **options),
        lambda: ops.unfold(backend.array(np.ones(x)), **options),
    )


@more
@given(x=st.lists(st.integers(1, 4), max_size=4), labels=st.lists(st.integers(1, 4), max_size=3))
def test_cross_entropy(backend: Library, torch, x, labels) -> None:
    labels = labels if len(labels) % 2 else [*x[:1], *x[2:]]
    assume(len(x) != 1 or not labels)  # PyTorch takes labels (1,) for logits (C,), and returns ()
    same_verdict(
        lambda: torch.nn.functional.cross_entropy(
            torch.ones(x), torch.zeros(labels, dtype=torch.int64), reduction="none"
        ),
        lambda: ops.cross_entropy(
            backend.array(np.ones(x)), backend.array(np.zeros(labels, "int64")), reduction="none"
        ),
    )
