"""The first models have their known sizes and names, and do what PyTorch's twins do.

Every other family, at a small size, is in `test_families`; all names and sizes are in `test_known`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.models.twins import make_twins
from xpconv import models, nn
from xpconv.random import Stream

SIZES = {
    "lenet5": 61_706,
    "small_vgg": 288_746,
    "digits_cnn": 30_762,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet18_cifar": 11_173_962,
    "resnet34_cifar": 21_282_122,
}
# Small images of a size that each network can still take: the comparison needs no more.
SHAPES = {
    "lenet5": (4, 1, 28, 28),
    "small_vgg": (3, 3, 16, 16),
    "digits_cnn": (6, 1, 8, 8),
    "resnet18": (2, 3, 40, 40),
    "resnet34": (2, 3, 40, 40),
    "resnet18_cifar": (3, 3, 12, 12),
    "resnet34_cifar": (3, 3, 12, 12),
}
# One of each construction, where the depth adds nothing but time.
KINDS = ["lenet5", "small_vgg", "digits_cnn", "resnet18", "resnet18_cifar"]


@pytest.fixture(scope="module")
def twins(torch: Any) -> Any:
    return make_twins(torch)


def make_pair(twins: Any, name: str, dtype: str, **options: Any) -> tuple[Any, Any]:
    """A model and its twin, with the twin's weights and running statistics away from the start."""
    import torch

    torch.manual_seed(0)
    twin = twins[name](**options).to(getattr(torch, dtype))
    generator = torch.Generator().manual_seed(1)
    for key, value in twin.state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            noise = torch.rand(value.shape, generator=generator, dtype=value.dtype)
            value.copy_(noise * 0.5 + (0.75 if key.endswith(("weight", "var")) else -0.25))
    model = models.get_model(name, rng=Stream(3), **options).to("numpy", dtype)
    model.load_state_dict({key: value.numpy() for key, value in twin.state_dict().items()})
    return model, twin


@pytest.mark.parametrize("name", SIZES)
def test_number_of_parameters(name: str) -> None:
    assert models.get_model(name).num_parameters == SIZES[name]


@pytest.mark.parametrize("name", KINDS)
def test_summary_at_the_registered_shape(name: str) -> None:
    entry = models.MODELS[name]
    rows = nn.summary(models.get_model(name), entry.input_shape).rows
    assert tuple(rows[-1].output_shape)[-1] == entry.num_classes


@pytest.mark.parametrize("name", SIZES)
def test_state_dict_is_the_twins(twins: Any, name: str) -> None:
    theirs = twins[name]().state_dict()
    ours = models.get_model(name).state_dict()
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        assert tuple(ours[key].shape) == tuple(value.shape), key
        assert str(value.dtype).endswith(str(ours[key].dtype)), key


@pytest.mark.parametrize("name", [*KINDS, "resnet34"])
def test_weights_travel_back_and_the_outputs_agree(twins: Any, name: str) -> None:
    import torch

    model, twin = make_pair(twins, name, "float32")
    for value in twin.state_dict().values():
        value.zero_()
    twin.load_state_dict({k: torch.tensor(host(v)) for k, v in model.state_dict().items()})
    x = np.random.default_rng(0).normal(size=SHAPES[name]).astype(np.float32)
    with torch.no_grad():
        desired = twin.eval()(torch.tensor(x)).numpy()
    scale = np.max(np.abs(desired))
    np.testing.assert_allclose(model(x), desired, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("name", KINDS)
def test_training_gradients_and_statistics_are_the_twins(twins: Any, name: str) -> None:
    import torch

    # A dropped feature is another one in PyTorch: without dropout there is nothing to differ.
    options = {"dropout": 0.0} if name in ("small_vgg", "digits_cnn") else {}
    model, twin = make_pair(twins, name, "float64", **options)
    rng = np.random.default_rng(1)
    x = rng.normal(size=SHAPES[name])
    labels = rng.integers(10, size=len(x))

    twin.train()
    tensor = torch.tensor(x, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(twin(tensor), torch.tensor(labels))
    loss.backward()

    logits, backward = model.forward(x, training=True)
    ours, loss_backward = nn.CrossEntropyLoss().forward(logits, labels)
    dx, grads = backward(loss_backward())
    assert float(ours) == pytest.approx(loss.item(), rel=1e-12)
    theirs = {key: value.grad.numpy() for key, value in twin.named_parameters()}
    assert set(grads) == set(theirs)
    largest = max(np.max(np.abs(value)) for value in theirs.values())
    for key, value in theirs.items():
        np.testing.assert_allclose(grads[key], value, rtol=1e-9, atol=1e-12 * largest, err_msg=key)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-9, atol=1e-12 * largest)
    for key, value in twin.state_dict().items():
        np.testing.assert_allclose(
            model.state_dict()[key], value.numpy(), rtol=1e-10, atol=1e-12, err_msg=key
        )


@pytest.mark.parametrize("name", ["lenet5", "digits_cnn"])
def test_every_library_computes_the_same(backend: Library, name: str) -> None:
    model = models.get_model(name, rng=Stream(0))
    x = np.random.default_rng(2).normal(size=SHAPES[name]).astype(np.float32)
    desired = model(x)
    moved = model.to(backend.spec)
    backend.assert_close(moved(backend.array(x)), desired, rtol=5e-5)


@pytest.mark.parametrize("name", KINDS)
def test_same_seed_same_weights(name: str) -> None:
    first = models.get_model(name, rng=Stream(5)).state_dict()
    second = models.get_model(name, rng=Stream(5)).state_dict()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)


def test_residual_convolutions_start_from_he_by_fan_out() -> None:
    weight = models.resnet18(rng=Stream(0)).state_dict()["layer4.1.conv2.weight"]
    assert np.std(weight) == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    assert abs(np.mean(weight)) < 1e-4


def test_channels_and_classes() -> None:
    for name in KINDS:
        model = models.get_model(name, num_classes=7, in_channels=2)
        shape = (2, 2, *SHAPES[name][2:])
        assert model(np.zeros(shape, np.float32)).shape == (2, 7), name


def test_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no model is called 'lenet'; did you mean 'lenet5'\?"):
        models.get_model("lenet")
    with pytest.raises(ValueError, match=r"there are: digits_cnn, lenet5, .*resnet34, .*_v2_l$"):
        models.get_model("transformer")


def test_names_are_read_in_either_case() -> None:
    assert models.get_model("LeNet5").num_parameters == SIZES["lenet5"]


@pytest.mark.parametrize("config", [(), ("M",), (8, "A"), (8, 0), (8, 2.5)])
def test_vgg_refuses_a_bad_config(config: Any) -> None:
    with pytest.raises(ValueError, match="config"):
        models.VGG(config)


def test_vgg_without_batch_norm_has_biases() -> None:
    keys = list(models.VGG((4,), batch_norm=False).state_dict())
    assert keys == [
        "features.0.weight",
        "features.0.bias",
        "classifier.1.weight",
        "classifier.1.bias",
    ]


@pytest.mark.parametrize("blocks", [(), (2, 2, 2), (2, 2, 2, 0)])
def test_resnet_refuses_bad_stages(blocks: Any) -> None:
    with pytest.raises(ValueError, match="4 stages"):
        models.ResNet(blocks)


def test_basic_blocks_have_no_groups() -> None:
    for options in ({"groups": 2}, {"width_per_group": 128}):
        with pytest.raises(ValueError, match="groups and width_per_group"):
            models.ResNet((1, 1, 1, 1), **options)
