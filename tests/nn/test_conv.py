"""Convolution and padding layers: what their operations do not say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn, ops

DIMS = pytest.mark.parametrize("dims", [1, 2, 3])
MODES = pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])


@MODES
@pytest.mark.parametrize("padding", [2, (1, 2), "same", "valid", ((2, 0), (0, 1))], ids=str)
def test_padding_mode_pads_first(backend: Library, rng, mode: str, padding) -> None:
    """A valid convolution of the padded image, also with even kernels and dilation."""
    layer = placed(nn.Conv2d(2, 3, (3, 2), 1, padding, (1, 2), padding_mode=mode), backend)
    x = backend.array(rng.normal(size=(2, 2, 5, 6)))
    amounts = {
        "2": (2, 2, 2, 2),
        "(1, 2)": (2, 2, 1, 1),
        "same": (1, 1, 1, 1),
        "valid": (0, 0, 0, 0),
        "((2, 0), (0, 1))": (0, 1, 2, 0),
    }[str(padding)]
    padded = ops.pad(x, amounts, mode)
    desired = ops.conv2d(padded, layer.weight, layer.bias, dilation=(1, 2))
    backend.assert_equal(layer(x), desired)
    assert padding != "same" or desired.shape[2:] == x.shape[2:]


@MODES
def test_padding_mode_is_refused_where_the_image_is_too_small(backend, mode: str) -> None:
    layer = placed(nn.Conv1d(1, 1, 9, padding=4, padding_mode=mode), backend)
    x = backend.array(np.ones((1, 1, 3)))
    if mode == "replicate":
        assert layer(x).shape == (1, 1, 3)
        return
    with refused("(4, 4)", repr(mode), "(1, 1, 3)"):
        layer(x)


@DIMS
@pytest.mark.parametrize("whole", [False, True])
def test_a_call_may_say_the_output_size(torch, backend: Library, rng, dims: int, whole) -> None:
    name = f"ConvTranspose{dims}d"
    arguments: tuple[Any, ...] = (2, 3, 3, 3, 1)
    layer, twin = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments).double()
    placed(layer, backend)
    twin.load_state_dict({k: torch.tensor(host(v)) for k, v in layer.state_dict().items()})
    x = rng.normal(size=(2, 2, *(4,) * dims))
    for n in (10, 11, 12):
        size = (n,) * dims
        given = [2, 3, *size] if whole else size
        desired = twin(torch.tensor(x), output_size=given).detach().numpy()
        assert desired.shape[2:] == size
        here = backend.array(x)
        for y in (
            layer(here, output_size=given),
            layer.infer(here, output_size=given),
            layer.forward(here, training=True, output_size=given)[0],
        ):
            backend.assert_close(y, desired)
    backend.assert_equal(layer(backend.array(x[0]), output_size=size), host(y)[0])
    for n in (9, 13):
        with refused("output size", str((n,) * dims), str((10,) * dims), str((12,) * dims)):
            layer(backend.array(x), output_size=(n,) * dims)
    with refused("output_size", "(1, 2, 3, 4, 5, 6)"):
        layer(backend.array(x), output_size=(1, 2, 3, 4, 5, 6))


def test_a_transposed_convolution_counts_its_products() -> None:
    """Each input pixel of each channel meets every element of its kernels."""
    layer = nn.ConvTranspose2d(4, 6, (2, 3), stride=2, groups=2)
    assert layer.flops(((5, 4, 7, 8),), (5, 6, 14, 17)) == 2 * (5 * 4 * 7 * 8) * 6 * 3 + (
        5 * 6 * 14 * 17
    )
    assert nn.ZeroPad2d(1).flops(((1, 1, 2, 2),), (1, 1, 4, 4)) == 0


def test_what_they_show() -> None:
    assert repr(nn.Conv1d(2, 4, 3, padding_mode="circular")).endswith("padding_mode=circular)")
    text = repr(nn.ConvTranspose2d(2, 4, 3, 2, output_padding=1, bias=False))
    assert "stride=(2, 2)" in text
    assert "output_padding=(1, 1)" in text
    assert "bias=False" in text
    assert repr(nn.ConstantPad1d(2, 0.5)) == "ConstantPad1d(padding=(2, 2), value=0.5)"
    assert repr(nn.ReflectionPad2d((1, 2, 3, 4))) == "ReflectionPad2d((1, 2, 3, 4))"


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="edge"), ValueError, ["padding_mode", "'edge'"]),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, ["in_channels", "groups", "3", "2"]),
        (lambda: nn.ConvTranspose2d(4, 3, 3, groups=2), ValueError, ["out_channels", "3", "2"]),
        (lambda: nn.ConvTranspose2d(4, 0, 3), ValueError, ["out_channels"]),
        (
            lambda: nn.ConvTranspose1d(1, 1, 3, padding_mode="reflect"),
            ValueError,
            ["padding_mode='zeros'", "'reflect'"],
        ),
        (lambda: nn.ConvTranspose3d(1, 1, 3, padding="same"), TypeError, ["padding", "'same'"]),
        (lambda: nn.ConvTranspose2d(1, 1, 3, output_padding=-1), ValueError, ["output_padding"]),
        (lambda: nn.ConvTranspose2d(1, 1, 3, stride=0), ValueError, ["stride"]),
        (lambda: nn.ConvTranspose2d(1, 1, 3, dilation=(1, 1, 1)), ValueError, ["dilation"]),
        (lambda: nn.ZeroPad2d((1, 2, 3)), ValueError, ["padding", "(1, 2, 3)"]),
        (lambda: nn.ReflectionPad1d(1.5), TypeError, ["padding", "1.5"]),
    ],
)
def test_what_cannot_work_is_refused_at_once(make, error, words) -> None:
    with refused(*words, error=error):
        make()


@DIMS
@pytest.mark.parametrize("kind", ["Constant", "Zero", "Reflection", "Replication", "Circular"])
def test_ranks_of_padding_layers(torch, backend: Library, kind: str, dims: int) -> None:
    """With or without a batch axis; a number goes around every array of at least so many axes."""
    arguments = (1, 2.5) if kind == "Constant" else (1,)
    layer = getattr(nn, f"{kind}Pad{dims}d")(*arguments)
    twin = getattr(torch.nn, f"{kind}Pad{dims}d")(*arguments)
    for rank in range(1, 7):
        x = np.ones((3,) * rank)
        try:
            desired = twin(torch.tensor(x)).numpy()
        except (RuntimeError, ValueError, NotImplementedError):
            with refused("padding"):
                layer(backend.array(x))
        else:
            backend.assert_equal(layer(backend.array(x)), desired)
