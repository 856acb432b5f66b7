"""The oracles themselves, against SciPy, PyTorch and numbers worked by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tests import reference


def test_the_worked_example() -> None:
    x = np.array([[1, 6, 2], [5, 3, 1], [7, 0, 4]])
    kernel = np.array([[1, 2], [-1, 0]])
    np.testing.assert_array_equal(reference.cross_correlate(x, kernel), [[8, 7], [4, 5]])
    np.testing.assert_array_equal(reference.convolve(x, kernel), [[7, 5], [11, 3]])
    np.testing.assert_array_equal(
        reference.full_cross_correlate(x, kernel),
        [[0, -1, -6, -2], [2, 8, 7, 1], [10, 4, 5, -3], [14, 7, 8, 4]],
    )


def test_correlations_are_scipys(rng: np.random.Generator) -> None:
    signal = pytest.importorskip("scipy.signal")
    x, kernel = rng.normal(size=(6, 5)), rng.normal(size=(3, 2))
    ours_and_theirs = [
        (reference.cross_correlate, signal.correlate2d, "valid"),
        (reference.convolve, signal.convolve2d, "valid"),
        (reference.full_cross_correlate, signal.correlate2d, "full"),
        (reference.full_convolve, signal.convolve2d, "full"),
    ]
    for ours, theirs, mode in ours_and_theirs:
        np.testing.assert_allclose(ours(x, kernel), theirs(x, kernel, mode), rtol=1e-12)


def test_the_chapters_layers_are_the_general_ones(rng: np.random.Generator) -> None:
    x, kernels, bias = rng.normal(size=(2, 6, 6)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    general = ([1, 1], [(0, 0), (0, 0)], [1, 1], 1)
    y = reference.conv_layer(x, kernels, bias)
    np.testing.assert_allclose(y, reference.conv(x[None], kernels, bias, *general)[0])
    dy = rng.normal(size=y.shape)
    dx, dkernels, dbias = reference.conv_gradients(x[None], kernels, dy[None], *general)
    for ours, theirs in zip(
        reference.conv_layer_gradients(x, kernels, dy), (dx[0], dkernels, dbias), strict=True
    ):
        np.testing.assert_allclose(ours, theirs)

    tiles = ([2, 2], [2, 2], [0, 0])
    y, indices = reference.max_pool(x[None], *tiles, [1, 1])
    np.testing.assert_array_equal(reference.max_pool_layer(x, 2), y[0])
    np.testing.assert_array_equal(
        reference.max_pool_layer_gradient(x, y[0], 2),
        reference.max_pool_gradient(x[None], indices, y)[0],
    )
    y = reference.avg_pool(x[None], *tiles)
    np.testing.assert_allclose(reference.average_pool_layer(x, 2), y[0])
    np.testing.assert_allclose(
        reference.average_pool_layer_gradient(x, y[0], 2),
        reference.avg_pool_gradient(x[None], y, *tiles)[0],
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_conv_is_pytorchs(torch, rng: np.random.Generator, dims: int, groups: int) -> None:
    conv = getattr(torch.nn.functional, f"conv{dims}d")
    x = torch.tensor(rng.normal(size=(2, 4, *(6, 5, 4)[:dims])), requires_grad=True)
    weight = torch.tensor(rng.normal(size=(6, 4 // groups, *(3, 2, 2)[:dims])), requires_grad=True)
    bias = torch.tensor(rng.normal(size=6), requires_grad=True)
    stride, padding, dilation = (2, 1, 3)[:dims], (1, 2, 0)[:dims], (2, 1, 1)[:dims]
    y = conv(x, weight, bias, stride, padding, dilation, groups)
    dy = torch.tensor(rng.normal(size=y.shape))
    y.backward(dy)
    options = (stride, [(p, p) for p in padding], dilation, groups)
    arrays = (x.detach().numpy(), weight.detach().numpy())
    np.testing.assert_allclose(
        reference.conv(*arrays, bias.detach().numpy(), *options), y.detach().numpy(), rtol=1e-12
    )
    ours = reference.conv_gradients(*arrays, dy.numpy(), *options)
    for gradient, tensor in zip(ours, (x, weight, bias), strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_same_padding_is_pytorchs(torch, rng: np.random.Generator) -> None:
    x, weight = rng.normal(size=(1, 1, 7, 6)), rng.normal(size=(1, 1, 4, 3))
    pairs = reference.same_pairs((4, 3), (1, 2))
    y = reference.conv(x, weight, None, (1, 1), pairs, (1, 2), 1)
    theirs = torch.nn.functional.conv2d(
        torch.tensor(x), torch.tensor(weight), padding="same", dilation=(1, 2)
    )
    np.testing.assert_allclose(y, theirs.numpy(), rtol=1e-12)


def test_unfold_and_fold_are_pytorchs(torch, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 6, 7))
    options = ((3, 2), (1, 2), (1, 0), (2, 1))
    columns = reference.unfold(x, *options)
    theirs = torch.nn.functional.unfold(torch.tensor(x), *options)
    np.testing.assert_array_equal(columns, theirs.numpy())
    np.testing.assert_allclose(
        reference.fold(columns, (6, 7), *options),
        torch.nn.functional.fold(theirs, (6, 7), *options).numpy(),
    )


POOLS = [
    options
    for options in itertools.product((1, 2, 3), (1, 2, 3), (0, 1), (1, 2), (False, True))
    if options[2] <= options[0] // 2
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation", "ceil_mode"), POOLS)
def test_pools_are_pytorchs(
    torch, rng, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> None:
    x = rng.integers(0, 4, size=(1, 2, 6, 7)).astype(float)  # many ties
    x[0, 0, 2, 3] = x[0, 1, 0, 0] = x[0, 1, 1, 0] = np.nan
    x[0, 1, 3:] = -np.inf
    tensor = torch.tensor(x, requires_grad=True)
    both = [(value, value) for value in (kernel, stride, padding, dilation)]
    y, indices = reference.max_pool(x, *both, ceil_mode)
    theirs, their_indices = torch.nn.functional.max_pool2d(
        tensor, kernel, stride, padding, dilation, ceil_mode, return_indices=True
    )
    np.testing.assert_array_equal(y, theirs.detach().numpy())
    np.testing.assert_array_equal(indices, their_indices.numpy())
    theirs.backward(torch.ones_like(theirs))
    np.testing.assert_array_equal(
        reference.max_pool_gradient(x, indices, np.ones(y.shape)), tensor.grad.numpy()
    )

    if dilation > 1:
        return
    x = np.nan_to_num(x, neginf=-3)
    for include, divisor in itertools.product((False, True), (None, 5, -3)):
        tensor = torch.tensor(x, requires_grad=True)
        options = (*both[:3], ceil_mode, include, divisor)
        theirs = torch.nn.functional.avg_pool2d(tensor, *options)
        y = reference.avg_pool(x, *options)
        np.testing.assert_allclose(y, theirs.detach().numpy(), atol=1e-12)
        theirs.backward(theirs.detach())
        np.testing.assert_allclose(
            reference.avg_pool_gradient(x, y, *options), tensor.grad.numpy(), atol=1e-12
        )


def test_layers_without_windows_are_pytorchs(torch, rng: np.random.Generator) -> None:
    functional = torch.nn.functional
    x, weight, bias = rng.normal(size=(4, 3)), rng.normal(size=(2, 3)), rng.normal(size=2)
    np.testing.assert_allclose(
        reference.linear(x, weight, bias),
        functional.linear(*map(torch.tensor, (x, weight, bias))).numpy(),
    )
    x, mean, var = rng.normal(size=(4, 3, 5)), rng.normal(size=3), rng.uniform(1, 2, size=3)
    weight, bias = rng.normal(size=3), rng.normal(size=3)
    for training in (False, True):
        theirs = functional.batch_norm(
            *map(torch.tensor, (x, mean, var, weight, bias)), training=training, eps=0.1
        )
        statistics = (None, None) if training else (mean, var)
        ours = reference.batch_norm(x, *statistics, weight, bias, 0.1)
        np.testing.assert_allclose(ours, theirs.numpy())
    np.testing.assert_allclose(
        reference.softmax(x, 1), functional.softmax(torch.tensor(x), 1).numpy()
    )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_are_pytorchs(torch, rng: np.random.Generator, reduction: str) -> None:
    functional = torch.nn.functional
    logits, labels = rng.normal(size=(4, 3, 2)) * 5, rng.integers(0, 3, size=(4, 2))
    labels[1, 0] = 1
    weight = rng.uniform(0.5, 2, size=3)
    for options in ({}, {"ignore_index": 1}, {"label_smoothing": 0.2}):
        for w in (None, weight):
            np.testing.assert_allclose(
                reference.cross_entropy(logits, labels, w, reduction=reduction, **options),
                functional.cross_entropy(
                    torch.tensor(logits),
                    torch.tensor(labels),
                    None if w is None else torch.tensor(w),
                    reduction=reduction,
                    **options,
                ).numpy(),
                rtol=1e-12,
            )
    target = rng.uniform(size=logits.shape)
    np.testing.assert_allclose(
        reference.mse_loss(logits, target, reduction),
        functional.mse_loss(torch.tensor(logits), torch.tensor(target), reduction=reduction),
    )
    weight, positive = rng.uniform(size=logits.shape), rng.uniform(1, 3, size=2)
    np.testing.assert_allclose(
        reference.bce_with_logits(logits, target, weight, reduction, positive),
        functional.binary_cross_entropy_with_logits(
            *map(torch.tensor, (logits, target, weight)),
            reduction=reduction,
            pos_weight=torch.tensor(positive),
        ),
        rtol=1e-12,
    )


def test_bce_with_logits_is_stable() -> None:
    x, target = np.array([1000.0, -1000.0]), np.array([0.0, 0.0])
    np.testing.assert_allclose(
        reference.bce_with_logits(x, target, reduction="none"), [1000.0, 0.0]
    )
    assert math.isfinite(reference.bce_with_logits(x, target))


@pytest.mark.parametrize(("counter", "key", "answer"), reference.PHILOX_KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter, key, answer) -> None:
    assert reference.philox4x32(counter, key) == answer
