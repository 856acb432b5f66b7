"""Every loss with every option, against the loops and against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_loss
from tests.backends import Library
from tests.ops.loss_calls import CALLS, OURS, WITHOUT_GRADIENT, maybe, normal, positive, stretched
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from xpconv import ops

shapes = st.sampled_from([(3, 4), (4, 3), (2, 3, 2), (2, 1, 3), (5,), (1,), (1, 1), (), (0, 3)])
reductions = st.sampled_from(["none", "mean", "sum"])


def options_for(make: Any, options: dict[str, Any]) -> dict[str, Any]:
    return {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


@pytest.mark.parametrize("name", [*CALLS, *OURS])
@given(seed=seeds, shape=shapes, reduction=reductions)
def test_against_the_loops(backend: Library, name: str, seed: int, shape, reduction: str) -> None:
    arrays, options = (CALLS | OURS)[name](np.random.default_rng(seed), shape)
    if name == "kl_div" and seed % 4 == 0:
        reduction = "batchmean"
    loss = getattr(ops, name)(
        *map(backend.array, arrays), **options_for(backend.array, options), reduction=reduction
    )
    if "var" in options:
        arrays, options = [*arrays, options["var"]], {k: options[k] for k in ("full", "eps")}
    desired = getattr(reference_loss, name)(*arrays, **options)
    backend.assert_close(loss, reference_loss.reduced(desired, reduction, arrays[0]), rtol=1e-9)


def by_pytorch(torch, name: str, options: dict[str, Any], dtype: str) -> Any:
    def tensor(values: np.ndarray):
        return torch.tensor(values.astype(dtype))

    there = options_for(tensor, options)
    return lambda *tensors: getattr(torch.nn.functional, name)(*tensors, **there)


def compare(backend: Library, torch, name: str, arrays, options, dtype: str) -> None:
    assert_as_torch(
        backend,
        getattr(ops, name),
        by_pytorch(torch, name, options, dtype),
        arrays,
        dtype=dtype,
        without_gradient=WITHOUT_GRADIENT.get(name, ()),
        **options_for(lambda values: backend.array(values, dtype), options),
    )


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("name", CALLS)
@given(seed=seeds, shape=shapes, reduction=reductions, dtype=dtypes)
def test_as_pytorch(
    backend: Library, torch, name: str, seed: int, shape, reduction: str, dtype: str
) -> None:
    arrays, options = CALLS[name](np.random.default_rng(seed), shape)
    if "margin_loss" in name and arrays[0].size == 0 and "multi" in name:
        return  # of an empty batch PyTorch returns memory that nobody has written
    if name == "kl_div" and seed % 4 == 0:
        reduction = "batchmean"
    compare(backend, torch, name, arrays, options | {"reduction": reduction}, dtype)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@given(seed=seeds, shape=shapes, reduction=reductions)
def test_gradients_of_weights_as_pytorch(
    backend: Library, torch, name: str, seed: int, shape, reduction: str
) -> None:
    rng = np.random.default_rng(seed)
    x, target, weight = *normal(rng, shape, shape), *positive(rng, shape)
    ours = [backend.array(array) for array in (x, target, weight)]
    y, pullback = ops.vjp(getattr(ops, name), ours[0], ours[1], weight=ours[2], reduction=reduction)
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, target, weight)]
    desired = getattr(torch.nn.functional, name)(
        tensors[0], tensors[1], weight=tensors[2], reduction=reduction
    )
    desired.backward(torch.ones_like(desired))
    backend.assert_close(y, desired.detach().numpy())
    gradients = pullback(backend.array(np.ones(y.shape)))
    for gradient, tensor in zip(gradients, tensors, strict=True):
        backend.assert_close(gradient, tensor.grad.numpy())


@given(seed=seeds, shape=shapes, reduction=reductions, dtype=dtypes)
def test_weights_of_binary_cross_entropy_as_pytorch(
    backend: Library, torch, seed: int, shape, reduction: str, dtype: str
) -> None:
    rng = np.random.default_rng(seed)
    options = {"reduction": reduction}
    for name in ("weight", "pos_weight"):
        options |= maybe(rng, name, *positive(rng, stretched(rng, shape)))
    arrays = [*normal(rng, shape), np.asarray(rng.uniform(size=shape))]
    compare(backend, torch, "binary_cross_entropy_with_logits", arrays, options, dtype)


STRETCHED = [
    ("kl_div", 2),
    ("poisson_nll_loss", 2),
    ("hinge_embedding_loss", 2),
    ("multilabel_soft_margin_loss", 3),
    ("margin_ranking_loss", 3),
    ("triplet_margin_loss", 3),
    ("gaussian_nll_loss", 2),
    ("pairwise_distance", 2),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize(("name", "count"), STRETCHED, ids=[name for name, _ in STRETCHED])
@pytest.mark.parametrize(
    "shapes",
    [((3, 4), (1, 4), (3, 1)), ((3, 1), (3, 4), (1, 4)), ((1, 1), (1, 4), (3, 4))],
    ids=str,
)
def test_broadcast_as_pytorch(
    backend: Library, torch, rng: np.random.Generator, name: str, count: int, shapes
) -> None:
    arrays = [rng.uniform(0.1, 2, size=shape) for shape in shapes[:count]]
    options = {} if name == "pairwise_distance" else {"reduction": "none"}
    if name == "gaussian_nll_loss":
        arrays.append(rng.uniform(0.1, 2, size=shapes[0]))
    compare(backend, torch, name, arrays, options, "float64")


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, 0.0, float("inf"), -1.0])
@pytest.mark.parametrize("keepdim", [False, True])
def test_distances_against_the_loops(backend: Library, rng, p: float, keepdim: bool) -> None:
    x, y = rng.normal(size=(2, 4, 3)), rng.normal(size=3)
    options = {"p": p, "eps": 0.1, "keepdim": keepdim}
    distance = ops.pairwise_distance(backend.array(x), backend.array(y), **options)
    backend.assert_close(distance, reference_loss.pairwise_distance(x, y, **options))


@given(seed=seeds, shape=st.sampled_from([(3, 4), (2, 3, 2), (5,)]), reduction=reductions)
def test_without_gamma_focal_loss_is_cross_entropy(backend, seed: int, shape, reduction) -> None:
    arrays, options = OURS["focal_loss"](np.random.default_rng(seed), shape)
    there = options_for(backend.array, options | {"reduction": reduction})
    del there["gamma"]
    logits, labels = map(backend.array, arrays)
    focal, focal_pullback = ops.vjp(ops.focal_loss, logits, labels, gamma=0, **there)
    loss, pullback = ops.vjp(ops.cross_entropy, logits, labels, **there)
    backend.assert_close(focal, loss)
    dy = backend.array(np.ones(loss.shape))
    backend.assert_close(focal_pullback(dy)[0], pullback(dy)[0])
