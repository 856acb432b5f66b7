"""Every layer against its PyTorch twin: results, gradients, names, arguments and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.cases import CASES
from tests.nn.layers import Case, placed, run
from tests.nn.spread import far_from_uniform
from xpconv import nn
from xpconv.random import manual_seed

TWINS = [case for case in CASES if case.twin is not None]

# What PyTorch has and we do not: where and how memory is taken, and names it has deprecated.
THEIRS_ALONE = {"device", "dtype", "inplace", "size_average", "reduce", "min_value", "max_value"}
# PyTorch guesses the axis and warns about it; we take the last one.
OTHER_DEFAULTS = {("Softmax", "dim"), ("Softmin", "dim"), ("LogSoftmax", "dim")}
SHARED = sorted(
    {
        "BCEWithLogitsLoss",
        "Bilinear",
        "CosineSimilarity",
        "CrossEntropyLoss",
        "MSELoss",
        "PairwiseDistance",
        *(case.twin[0] for case in TWINS if case.twin and hasattr(nn, case.twin[0])),
    }
)


def twin_of(case: Case, torch: Any) -> Any:
    name, *arguments = case.twin or ()
    return getattr(torch.nn, name)(*arguments).double().train(case.training)


@pytest.mark.parametrize("case", TWINS, ids=str)
def test_as_pytorch(backend: Library, torch, case: Case) -> None:
    twin = twin_of(case, torch)
    layer = placed(case.make(), backend)
    assert list(layer.state_dict()) == list(twin.state_dict())
    assert list(layer.parameters()) == [key for key, _ in twin.named_parameters()]
    assert list(layer.buffers()) == [key for key, _ in twin.named_buffers()]
    for key, value in twin.state_dict().items():
        assert layer.state_dict()[key].shape == tuple(value.shape)
    twin.load_state_dict({k: torch.tensor(host(v)) for k, v in layer.state_dict().items()})

    (x,) = case.inputs()
    tensor = torch.tensor(x, requires_grad=True)
    desired = twin(tensor)
    dy = np.random.default_rng(0).normal(size=tuple(desired.shape))
    desired.backward(torch.tensor(dy))

    y, backward = run(layer, backend.array(x), training=case.training)
    backend.assert_close(y, desired.detach().numpy())
    dx, grads = backward(backend.array(dy))
    backend.assert_close(dx, tensor.grad.numpy())
    assert set(grads) == {key for key, _ in twin.named_parameters()}
    for key, parameter in twin.named_parameters():
        backend.assert_close(grads[key], parameter.grad.numpy())
    for key, buffer in twin.named_buffers():
        backend.assert_close(layer.buffers()[key], buffer.numpy())
    assert layer.num_parameters == sum(p.numel() for p in twin.parameters())


@pytest.mark.parametrize("case", TWINS, ids=str)
def test_options_are_attributes_with_pytorchs_names(torch, case: Case) -> None:
    if case.twin is None or case.twin[0].startswith("Adaptive"):
        return
    layer, twin = case.make(), twin_of(case, torch)
    for name in inspect.signature(type(layer)).parameters:
        if name in {"bias", "rng"} or not hasattr(twin, name):
            continue
        ours, theirs = getattr(layer, name), getattr(twin, name)
        if ours != theirs:  # an int here may be a tuple of equal ones there
            assert (
                ours == (theirs,) * len(ours)
                if isinstance(ours, tuple)
                else (theirs == (ours,) * len(theirs))
            ), (name, ours, theirs)


@pytest.mark.parametrize("name", SHARED)
def test_arguments_have_pytorchs_order_and_defaults(torch, name: str) -> None:
    def positional(kind: type) -> dict[str, Any]:
        return {
            parameter.name: parameter.default
            for parameter in inspect.signature(kind).parameters.values()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            and parameter.name not in THEIRS_ALONE
        }

    ours, theirs = positional(getattr(nn, name)), positional(getattr(torch.nn, name))
    theirs.pop("args", None)
    assert list(ours) == list(theirs)
    for argument, default in theirs.items():
        if (name, argument) not in OTHER_DEFAULTS:
            assert ours[argument] == default, argument


@pytest.mark.parametrize("name", SHARED)
def test_what_is_ours_alone_goes_by_keyword(torch, name: str) -> None:
    ours = inspect.signature(getattr(nn, name)).parameters
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    for parameter in ours.values():
        if parameter.name not in theirs:
            assert parameter.kind is parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    ("name", "arguments", "fan_in"),
    [
        ("Conv1d", (6, 96, 7), 42),
        ("Conv2d", (6, 96, (3, 5)), 90),
        ("Conv2d", (6, 96, 5, 1, 0, 1, 3), 50),
        ("Conv3d", (4, 48, 3), 108),
        ("ConvTranspose1d", (40, 60, 5, 1, 0, 0, 10), 30),
        ("ConvTranspose2d", (6, 96, (3, 5)), 1440),
        ("Linear", (120, 300), 120),
    ],
)
def test_first_weights_are_spread_as_pytorchs(torch, name: str, arguments, fan_in: int) -> None:
    """Evenly in +-1/sqrt(fan in), weights and biases."""
    manual_seed(11)
    torch.manual_seed(11)
    layer, twin = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
    bound = fan_in**-0.5
    for key, parameter in twin.named_parameters():
        for values in (host(layer.state_dict()[key]), parameter.detach().numpy()):
            assert np.max(np.abs(values)) <= np.float32(bound)
            assert far_from_uniform(values, bound) < 1.95


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
def test_first_state_of_a_norm_is_pytorchs(torch, name: str) -> None:
    layer, twin = getattr(nn, name)(5), getattr(torch.nn, name)(5)
    for key, value in twin.state_dict().items():
        np.testing.assert_array_equal(layer.state_dict()[key], value.numpy())


def test_signatures_of_the_initialisers(torch) -> None:
    for name in ("kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform"):
        ours = inspect.signature(getattr(nn.init, name)).parameters
        theirs = inspect.signature(getattr(torch.nn.init, name + "_")).parameters
        for argument in list(theirs)[1:]:  # the tensor to fill is our shape
            if argument != "generator":
                assert list(ours).index(argument) == list(theirs).index(argument)
                assert ours[argument].default == theirs[argument].default
