"""Every model by name: its keys, its sizes, its shapes at full size, its line in the docs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.known import TORCHVISION, Blank, digest
from tests.models.twins_images import make_image_twins
from xpconv import models, nn
from xpconv.random import use_stream

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
DCGAN = ("dcgan_generator", "dcgan_discriminator")
# of each family one, where depth and width add nothing but time
SMALLEST = [
    "alexnet",
    "vgg11",
    "vgg11_bn",
    "resnet18",
    "resnet50",
    "squeezenet1_0",
    "squeezenet1_1",
    "densenet121",
    "googlenet",
    "inception_v3",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "efficientnet_b0",
    "unet",
]
FIRST = ["digits_cnn", "lenet5", "small_vgg", "resnet18_cifar"]


def blank(build: Any, **options: Any) -> nn.Module:
    with use_stream(Blank()):
        return build(**options)


@pytest.mark.parametrize("name", TORCHVISION)
def test_keys_and_shapes_are_torchvisions(name: str) -> None:
    build = getattr(models, name)
    model = blank(build)
    state = model.state_dict()
    assert (model.num_parameters, len(state), digest(state)) == TORCHVISION[name]
    assert f": {model.num_parameters:,} parameters." in build.__doc__


@pytest.mark.parametrize("name", SMALLEST)
def test_all_weights_come_from_the_stream_given(name: str) -> None:
    """A layer that was not handed the stream would draw from the current one."""
    model = getattr(models, name)(rng=Blank())
    for key, value in model.parameters().items():
        assert value.ndim == 1 or not np.any(value), key


@pytest.mark.parametrize("name", ["unet", *DCGAN])
def test_keys_and_shapes_are_the_twins(torch: Any, name: str) -> None:
    theirs = make_image_twins(torch)[name.removeprefix("dcgan_")]()
    model = blank(getattr(models, name))
    assert digest(model.state_dict()) == digest(theirs.state_dict())
    assert model.num_parameters == sum(value.numel() for value in theirs.parameters())


@pytest.mark.parametrize("name", [*FIRST, *SMALLEST])
def test_forward_and_backward_at_full_size(torch: Any, name: str) -> None:
    """On PyTorch's device of shapes without values: no time, no memory."""
    entry = models.MODELS[name]
    model = blank(models.get_model, name=name)
    nowhere = {
        key: torch.empty(tuple(value.shape), dtype=getattr(torch, str(value.dtype)), device="meta")
        for key, value in model.state_dict().items()
    }
    model.update(nowhere)
    x = torch.empty((2, *entry.input_shape), device="meta")
    y, backward = model.forward(x, training=True)
    space = entry.input_shape[1:] if name == "unet" else ()
    assert y.shape == (2, entry.num_classes, *space)
    dx, grads = backward(y)
    assert dx.shape == x.shape
    assert {k: v.shape for k, v in grads.items()} == {
        k: v.shape for k, v in model.parameters().items()
    }


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_logits_are_left_out_by_name_and_there_by_constructor(name: str) -> None:
    """The command line trains with one loss, so that it cannot use them."""
    keys = list(blank(models.get_model, name=name).state_dict())
    whole = list(blank(models.get_model, name=name, aux_logits=True).state_dict())
    assert whole == list(blank(getattr(models, name)).state_dict())
    assert keys == [key for key in whole if not key.lower().startswith("aux")]


def test_the_page_lists_every_model_with_its_size() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    sizes = {name: int(size.replace(",", "")) for name, size in rows}
    assert len(sizes) == len(rows)
    known = {name: parameters for name, (parameters, *_) in TORCHVISION.items()}
    for name in (models.MODELS.keys() | set(DCGAN)) - known.keys():
        model = (
            blank(getattr(models, name)) if name in DCGAN else blank(models.get_model, name=name)
        )
        known[name] = model.num_parameters
    assert sizes == known
