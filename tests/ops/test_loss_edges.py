"""Losses at their edges: kinks, ties, infinities, NaN, nothing at all, dtypes, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import reference_loss
from tests.backends import Library, dtype_name, host
from tests.ops.loss_calls import CALLS, OURS
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops

NAN, INF = float("nan"), float("inf")
ALL = {**CALLS, **OURS}


def way_back(backend: Library, operation: Any, *arrays: Any, **options: Any) -> tuple:
    """The loss, and its gradients for a cotangent of ones."""
    y, pullback = ops.vjp(operation, *map(backend.array, arrays), **options)
    return y, pullback(backend.array(np.ones(y.shape, dtype_name(y))))


# --- by hand ------------------------------------------------------------------------------------


def test_huber_by_hand(backend: Library) -> None:
    """Differences 1/2 and -3 with delta 1: 1/8 and 1 (3 - 1/2)."""
    loss, (dx, dt) = way_back(backend, ops.huber_loss, [0.5, 0.0], [0.0, 3.0], reduction="none")
    backend.assert_close(loss, np.array([0.125, 2.5]))
    backend.assert_close(dx, np.array([0.5, -1.0]))
    backend.assert_close(dt, np.array([-0.5, 1.0]))


def test_multi_margin_by_hand(backend: Library) -> None:
    """Class 1 of (1, 2, 1.5) leads by 1 and 1/2: what is missing to 1 is 0 and 1/2, over 3."""
    loss, (dx, _) = way_back(backend, ops.multi_margin_loss, [[1.0, 2.0, 1.5]], [1])
    backend.assert_close(loss, np.asarray(0.5 / 3))
    backend.assert_close(dx, np.array([[0.0, -1.0, 1.0]]) / 3)


def test_multilabel_margin_by_hand(backend: Library) -> None:
    """PyTorch's own example: classes 3 and 0 against 1 and 2."""
    x, target = [[0.1, 0.2, 0.4, 0.8]], [[3, 0, -1, 1]]
    loss = ops.multilabel_margin_loss(backend.array(x), backend.array(target))
    parts = (1 - (0.1 - 0.2)) + (1 - (0.1 - 0.4)) + (1 - (0.8 - 0.2)) + (1 - (0.8 - 0.4))
    backend.assert_close(loss, np.asarray(0.25 * parts))


def test_triplet_by_hand(backend: Library) -> None:
    """Distances 5 and 4: 1 + 5 - 4; swapped, the negative is 3 away from the positive."""
    triplet = map(backend.array, ([[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 4.0]]))
    anchor, positive, negative = triplet
    for swap, desired in ((False, 2.0), (True, 3.0)):
        loss = ops.triplet_margin_loss(anchor, positive, negative, eps=0.0, swap=swap)
        backend.assert_close(loss, np.asarray(desired))


def test_dice_by_hand(backend: Library) -> None:
    """Two of three pixels agree: 1 - (2 * 1 + 1) / (2 + 2 + 1)."""
    p, t = np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0])
    loss = ops.dice_loss(backend.array(p[None, None]), backend.array(t[None, None]))
    backend.assert_close(loss, np.asarray(1 - 3 / 5))
    nothing = backend.array(np.zeros((1, 1, 3)))
    backend.assert_close(ops.dice_loss(nothing, nothing), np.asarray(0.0))
    backend.assert_equal(ops.dice_loss(nothing, nothing, smooth=0.0), np.asarray(NAN))


def test_focal_by_hand(backend: Library) -> None:
    """p = 3/4 for the truth: (1/4)^2 log(4/3), and times alpha = 1/4 where it is "yes"."""
    x, cost = np.log([[1.0, 3.0]]), np.log(4 / 3) / 16
    loss = ops.focal_loss(backend.array(x), backend.array([1]))
    backend.assert_close(loss, np.asarray(cost))
    x = np.log([3.0, 1 / 3])
    loss = ops.sigmoid_focal_loss(backend.array(x), backend.array([1.0, 0.0]))
    backend.assert_close(loss, cost * np.array([0.25, 0.75]))


# --- kinks, infinities and NaN, as PyTorch has them ----------------------------------------------

X = [1.0, -1.0, 0.0, 0.5, NAN, INF, -INF]
ZERO, ONES = [0.0] * 7, [1.0] * 7
WEIGHTS = [2.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
KINKS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("l1_loss", [X, ZERO], {}),
    ("mse_loss", [X, ZERO], {}),
    ("smooth_l1_loss", [X, ZERO], {}),
    ("smooth_l1_loss", [X, ZERO], {"beta": 0.5}),
    ("huber_loss", [X, ZERO], {}),
    ("huber_loss", [X, ZERO], {"delta": 0.5}),
    ("hinge_embedding_loss", [X, [-1.0] * 7], {}),
    ("hinge_embedding_loss", [X, ZERO], {"margin": 0.5}),
    ("margin_ranking_loss", [X, ZERO, ONES], {}),
    ("margin_ranking_loss", [X, ZERO, ONES], {"margin": 0.5}),
    ("binary_cross_entropy", [[0.0, 1, 0, 1, 0.5, 1e-30, 1], [0.0, 0, 1, 1, 0, 1, 0.5]], {}),
    ("binary_cross_entropy_with_logits", [[900.0, -900, 0, NAN], [0.0, 1, 0.3, 1]], {}),
    ("binary_cross_entropy_with_logits", [[INF, INF], [0.0, 0.5]], {}),
    ("kl_div", [[-1.0, -2, -1, NAN], [0.0, 0.5, -1, 1]], {}),
    ("kl_div", [[-INF, 1.0], [0.0, 2.0]], {}),
    ("kl_div", [[-1.0, NAN, 2.0], [-INF, 0.0, NAN]], {"log_target": True}),
    ("poisson_nll_loss", [[0.0, 1, 2, NAN], [1.0, 2, 3, 1]], {"log_input": False}),
    ("poisson_nll_loss", [[0.0, 1, 2, -1], [2.0, 1, 3, 1]], {"full": True}),
    ("gaussian_nll_loss", [X, ZERO, [0.0, 1e-9, 1, 2, 1, 1, 1]], {}),
    ("soft_margin_loss", [[30.0, -30, 0, NAN], [1.0, 1, -1, 1]], {}),
    ("multilabel_soft_margin_loss", [[[30.0, -30, 0, NAN]] * 2, [[1.0, 1, 0, 1]] * 2], {}),
    ("multi_margin_loss", [[[1.0, NAN, 2, 0, 0.5]], [0]], {}),
    ("multi_margin_loss", [[[1.0, 0.0, INF, 3.0]], [0]], {"p": 2}),
    ("multilabel_margin_loss", [[[1.0, 2, 2, 0.5]], [[1, 2, -1, 0]]], {}),
    ("multilabel_margin_loss", [[[1.0, NAN, 2]], [[0, 0, -1]]], {}),
    ("nll_loss", [[[-1.0, -INF, NAN]] * 3, [0, 1, 2]], {}),
    ("cosine_embedding_loss", [[[1.0, 0], [0, 0]], [[0.0, 1], [1, 2]], [-1, -1]], {}),
    ("triplet_margin_loss", [[[0.0, 0]] * 2, [[0.0, 0], [1, 1]], [[1.0, 0], [1, 1]]], {"eps": 0.0}),
    (
        "triplet_margin_loss",
        [[[0.0, 0]] * 2, [[0.0, 2], [1, 1]], [[1.0, 1], [-1, 0]]],
        {"eps": 0.0, "swap": True, "p": INF},
    ),
    ("pairwise_distance", [[[1.0, 1, -1], [0, 0, 0]], [[0.0, 0, 0]] * 2], {"p": INF, "eps": 0.0}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize(
    ("name", "arrays", "options"), KINKS, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(KINKS)]
)
def test_kinks_as_pytorch(
    backend: Library, torch, name: str, arrays: list[Any], options: dict[str, Any], reduction: str
) -> None:
    if name != "pairwise_distance":
        options = options | {"reduction": reduction}
    assert_as_torch(
        backend,
        getattr(ops, name),
        lambda *tensors: getattr(torch.nn.functional, name)(*tensors, **options),
        [np.asarray(array) for array in arrays],
        without_gradient=(1,) if name in ("hinge_embedding_loss", "soft_margin_loss") else (),
        **options,
    )


def test_an_order_of_zero_counts_and_has_no_slope(backend: Library) -> None:
    distance, (dx, dy) = way_back(backend, ops.pairwise_distance, [[1.0, 0, 2]], [[0.0] * 3], p=0)
    backend.assert_close(distance, np.array([3.0]))  # eps makes the second differ, too
    backend.assert_equal(dx, np.zeros((1, 3)))
    backend.assert_equal(dy, np.zeros((1, 3)))


def test_soft_margin_does_not_overflow(backend: Library) -> None:
    """Where PyTorch has inf, and NaN for the gradient."""
    loss, (dx, _) = way_back(
        backend, ops.soft_margin_loss, [-1e4, 1e4], [1.0, 1.0], reduction="sum"
    )
    backend.assert_close(loss, np.asarray(1e4))
    backend.assert_close(dx, np.array([-1.0, 0.0]))


def test_logits_cost_little_to_the_last_digit(backend: Library) -> None:
    """log(1 + exp(-50)), which the difference of two large numbers would lose."""
    loss, (dx, *_) = way_back(
        backend, ops.binary_cross_entropy_with_logits, [-50.0, 50.0], [0.0, 1.0], reduction="none"
    )
    np.testing.assert_allclose(host(loss), np.full(2, np.exp(-50)), rtol=1e-12)
    np.testing.assert_allclose(host(dx), np.exp(-50) * np.array([1, -1]), rtol=1e-12)


def test_counts_of_nought_have_a_slope(backend: Library) -> None:
    """Of the target, where PyTorch multiplies 0 by an infinite logarithm."""
    _, (_, dt) = way_back(backend, ops.poisson_nll_loss, [2.0], [0.0], full=True)
    backend.assert_close(dt, np.array([-2.0]))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_sure_focal_losses_are_finite(backend: Library, gamma: float) -> None:
    x = [[800.0, 0.0], [0.0, 800.0]]
    loss, (dx, _) = way_back(backend, ops.focal_loss, x, [0, 0], gamma=gamma, reduction="none")
    backend.assert_close(loss, np.array([0.0, 800.0]))
    backend.assert_close(dx, np.array([[0.0, 0.0], [-1.0, 1.0]]))
    loss, (dx, _) = way_back(
        backend, ops.sigmoid_focal_loss, [800.0, -800.0], [1.0, 1.0], alpha=-1, gamma=gamma
    )
    backend.assert_close(loss, np.array([0.0, 800.0]))
    backend.assert_close(dx, np.array([0.0, -1.0]))


def test_without_gamma_sigmoid_focal_loss_is_cross_entropy(backend: Library, rng) -> None:
    x, t = rng.normal(size=(3, 4)), rng.uniform(size=(3, 4))
    ours, gradients = way_back(backend, ops.sigmoid_focal_loss, x, t, alpha=-1, gamma=0.0)
    loss, desired = way_back(backend, ops.binary_cross_entropy_with_logits, x, t, reduction="none")
    backend.assert_close(ours, loss)
    for gradient, other in zip(gradients, desired, strict=True):
        backend.assert_close(gradient, other)


# --- nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [n for n in ALL if n not in ("dice_loss", "cosine_embedding_loss")]
)
def test_of_nothing(backend: Library, name: str) -> None:
    arrays, options = ALL[name](np.random.default_rng(1), (0, 3))
    options = {k: v for k, v in options.items() if not isinstance(v, np.ndarray)}
    operation = getattr(ops, name)
    mean, gradients = way_back(backend, operation, *arrays, **options, reduction="mean")
    backend.assert_equal(mean, np.asarray(NAN))
    assert gradients[0].shape == (0, 3)
    total = operation(*map(backend.array, arrays), **options, reduction="sum")
    backend.assert_equal(total, np.asarray(0.0))
    each = operation(*map(backend.array, arrays), **options, reduction="none")
    assert each.shape[0] == 0


def test_ignored_rows_have_no_gradient(backend: Library) -> None:
    for operation in (ops.nll_loss, ops.focal_loss, ops.cross_entropy):
        loss, (dx, _) = way_back(backend, operation, np.ones((2, 3)), [-100, -100])
        backend.assert_equal(loss, np.asarray(NAN))
        backend.assert_equal(dx, np.zeros((2, 3)))


# --- dtypes -------------------------------------------------------------------------------------


INTEGERS = [  # name, dtype of whole results: none, sum, mean (None: refused)
    ("l1_loss", 2, ("int32", "int64", None)),
    ("hinge_embedding_loss", 2, ("int32", "int64", None)),
    ("poisson_nll_loss", 2, ("float32", "float32", "float32")),
    ("margin_ranking_loss", 3, ("float32", "float32", "float32")),
    ("triplet_margin_loss", 3, ("float32", "float32", "float32")),
]


@pytest.mark.parametrize(("name", "count", "results"), INTEGERS, ids=[n for n, *_ in INTEGERS])
def test_integers_as_pytorch(backend: Library, torch, rng, name: str, count: int, results) -> None:
    arrays = [rng.integers(1, 9, size=(3, 4)).astype("int32") for _ in range(count)]
    if name in ("hinge_embedding_loss", "margin_ranking_loss"):
        arrays[-1] = rng.choice([-1, 1], size=(3, 4)).astype("int32")
    ours, theirs = getattr(ops, name), getattr(torch.nn.functional, name)
    here = [backend.array(array) for array in arrays]
    for reduction, dtype in zip(("none", "sum", "mean"), results, strict=True):
        if dtype is None:
            with refused("mean", "integer", error=TypeError):
                ours(*here, reduction=reduction)
            continue
        y, pullback = ops.vjp(ours, *here, reduction=reduction)
        desired = theirs(*map(torch.tensor, arrays), reduction=reduction).numpy()
        backend.assert_close(y, desired, rtol=1e-6, dtype=dtype)
        assert all(gradient is None for gradient in pullback(y))


@pytest.mark.parametrize(
    "name",
    ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss",
     "hinge_embedding_loss", "multilabel_soft_margin_loss", "poisson_nll_loss", "dice_loss",
     "sigmoid_focal_loss"],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_whole_targets(backend: Library, rng, name: str, dtype: str) -> None:
    """Labels and counts come as integers; the input decides the dtype."""
    x = rng.uniform(0.1, 1, size=(2, 3, 4)).astype("float32")
    target = rng.integers(0, 2, size=(2, 3, 4))
    operation = getattr(ops, name)
    arrays = backend.array(x), backend.array(target, dtype)
    if dtype == "bool" and name in ("l1_loss", "multilabel_soft_margin_loss", "sigmoid_focal_loss"):
        with refused("target", "bool", error=TypeError):
            operation(*arrays)
        return
    y, pullback = ops.vjp(operation, *arrays)
    desired, other = ops.vjp(operation, backend.array(x), backend.array(target, "float32"))
    backend.assert_equal(y, desired)
    dx, dtarget = pullback(y)
    backend.assert_equal(dx, other(y)[0])
    assert dtarget is None


def test_complex_losses_as_pytorch(backend: Library, torch, rng) -> None:
    x, t = rng.normal(size=(2, 2, 3, 4)) @ np.array([1, 1j, 0.5, -2j])
    negative = x[::-1] * 2
    calls = [
        ("l1_loss", (x, t), {}),
        ("poisson_nll_loss", (x, t), {}),
        ("poisson_nll_loss", (x, t), {"log_input": False}),
        ("triplet_margin_loss", (x, t, negative), {"swap": True}),
        ("pairwise_distance", (x, t), {"p": 3.0}),
    ]
    for name, arrays, options in calls:
        tensors = [torch.tensor(array.copy(), requires_grad=True) for array in arrays]
        desired = getattr(torch.nn.functional, name)(*tensors, **options)
        dy = np.full(desired.shape, 0.5 + (0.25j if desired.is_complex() else 0))
        desired.backward(torch.tensor(dy))
        y, pullback = ops.vjp(getattr(ops, name), *map(backend.array, arrays), **options)
        assert dtype_name(y) == str(desired.dtype).split(".")[1]
        np.testing.assert_allclose(host(y), desired.detach().numpy(), rtol=1e-12)
        for gradient, tensor in zip(pullback(backend.array(dy)), tensors, strict=True):
            np.testing.assert_allclose(host(gradient), tensor.grad.numpy(), rtol=1e-10)
    # PyTorch gives no gradient here; along a direction v it is Re(conj(gradient) v).
    y, pullback = ops.vjp(ops.soft_margin_loss, backend.array(x), backend.array(t))
    there = torch.nn.functional.soft_margin_loss
    np.testing.assert_allclose(host(y), there(torch.tensor(x), torch.tensor(t)).numpy(), rtol=1e-12)
    dx = host(pullback(backend.array(np.asarray(1.0 + 0j)))[0])
    step = 1e-6 * negative
    moved = [there(torch.tensor(x + s * step), torch.tensor(t)).numpy().real for s in (1, -1)]
    np.testing.assert_allclose((moved[0] - moved[1]) / 2, np.sum(dx.conj() * step).real, rtol=1e-6)
    _, (dx, _) = way_back(backend, ops.l1_loss, x, x)
    np.testing.assert_array_equal(host(dx), 0)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss"])
@pytest.mark.parametrize("dtype", ["int32", "complex128"])
def test_weighted_dtypes_as_pytorch(
    backend: Library, torch, rng, name: str, dtype: str, reduction: str
) -> None:
    arrays = [a.astype(dtype) for a in rng.integers(1, 9, size=(3, 2, 3))]
    if dtype == "complex128":
        arrays = [a + 1j * b for a, b in zip(arrays, rng.normal(size=(3, 2, 3)), strict=True)]
    tensors = [torch.tensor(a, requires_grad=dtype == "complex128") for a in arrays]
    desired = getattr(torch.nn.functional, name)(
        tensors[0], tensors[1], weight=tensors[2], reduction=reduction
    )
    here = list(map(backend.array, arrays))
    y, pullback = ops.vjp(getattr(ops, name), here[0], here[1], weight=here[2], reduction=reduction)
    assert dtype_name(y) == str(desired.dtype).split(".")[1]
    np.testing.assert_allclose(host(y), desired.detach().numpy(), rtol=1e-6)
    dy = np.full(desired.shape, 0.5 + 0.25j if dtype == "complex128" else 1).astype(host(y).dtype)
    gradients = pullback(backend.array(dy))
    if dtype != "complex128":
        assert gradients == (None, None, None)
        return
    desired.backward(torch.tensor(dy))
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(host(gradient), tensor.grad.numpy(), rtol=1e-10)


COMPLEX = {"l1_loss", "poisson_nll_loss", "soft_margin_loss", "triplet_margin_loss",
           "triplet_margin_with_distance_loss"}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in ALL if name not in COMPLEX])
def test_other_losses_are_real(backend: Library, name: str) -> None:
    arrays, _ = ALL[name](np.random.default_rng(0), (3, 4))
    with refused("must have a real floating dtype", "complex128", error=TypeError):
        getattr(ops, name)(
            *(backend.array(a, "complex128" if a.dtype.kind == "f" else None) for a in arrays)
        )


@pytest.mark.parametrize("name", ALL)
def test_half_precision_is_computed_in_single(backend: Library, name: str) -> None:
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # the standard has no float16
        return
    arrays, _ = ALL[name](np.random.default_rng(3), (3, 4))
    half = [a.astype("float16") if a.dtype.kind == "f" else a for a in arrays]
    wide = [a.astype("float32") if a.dtype.kind == "f" else a for a in half]
    operation = getattr(ops, name)
    if len(arrays) == 2 and name == "gaussian_nll_loss":
        half.append(np.ones((3, 4), "float16"))
        wide.append(np.ones((3, 4), "float32"))
    y, pullback = ops.vjp(operation, *map(backend.array, half))
    desired, other = ops.vjp(operation, *map(backend.array, wide))
    backend.assert_equal(y, host(desired).astype("float16"))
    for gradient, exact in zip(pullback(y), other(backend.array(host(y), "float32")), strict=True):
        if exact is not None:
            backend.assert_equal(gradient, host(exact).astype("float16"))
    if half[1].dtype == "float16":
        with refused("float16", "float32", error=TypeError):
            operation(*map(backend.array, [half[0], *wide[1:]]))


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_unknown_reductions(backend: Library, name: str) -> None:
    arrays, _ = ALL[name](np.random.default_rng(0), (3, 4))
    arrays += [np.ones((3, 4))] * (name == "gaussian_nll_loss" and len(arrays) == 2)
    for reduction in ("average", "batchmean"):
        if (name, reduction) != ("kl_div", "batchmean"):
            with refused("reduction", "'none'", "'mean'", "'sum'", reduction):
                getattr(ops, name)(*map(backend.array, arrays), reduction=reduction)


@pytest.mark.parametrize(
    "name",
    ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
     "binary_cross_entropy_with_logits", "sigmoid_focal_loss", "dice_loss"],
)  # fmt: skip
def test_nothing_is_broadcast_in_silence(backend: Library, name: str) -> None:
    ones = np.ones((4, 3))
    for shape in ((4, 1), (3,), (), (4, 2)):
        with refused("input", "target", "(4, 3)", str(shape)):
            getattr(ops, name)(backend.array(ones), backend.array(np.ones(shape)))


@pytest.mark.parametrize(
    ("name", "count"),
    [("kl_div", 2), ("poisson_nll_loss", 2), ("hinge_embedding_loss", 2), ("soft_margin_loss", 2),
     ("multilabel_soft_margin_loss", 2), ("margin_ranking_loss", 3), ("triplet_margin_loss", 3),
     ("pairwise_distance", 2), ("gaussian_nll_loss", 3)],
)  # fmt: skip
def test_sizes_that_do_not_go_together(backend: Library, name: str, count: int) -> None:
    arrays = [backend.array(np.ones((4, 3))), backend.array(np.ones((4, 2)))]
    arrays += [backend.array(np.ones((4, 3)))] * (count - 2)
    with refused("(4, 3)", "(4, 2)"):
        getattr(ops, name)(*arrays)


REFUSED: list[tuple[str, list[Any], dict[str, Any], list[str]]] = [
    ("smooth_l1_loss", [[1.0], [1.0]], {"beta": -1.0}, ["beta", "-1.0"]),
    ("smooth_l1_loss", [[1.0], [1.0]], {"beta": NAN}, ["beta", "nan"]),
    ("huber_loss", [[1.0], [1.0]], {"delta": 0.0}, ["delta", "0.0"]),
    ("huber_loss", [[1.0], [1.0]], {"weight": [1.0, 2.0]}, ["weight", "(2,)"]),
    ("mse_loss", [[1.0], [1.0]], {"weight": [1.0, 2.0]}, ["weight", "(2,)"]),
    ("binary_cross_entropy", [[1.5], [1.0]], {}, ["input", "between 0 and 1"]),
    ("binary_cross_entropy", [[NAN], [1.0]], {}, ["input", "between 0 and 1"]),
    ("binary_cross_entropy", [[0.5], [-0.1]], {}, ["target", "between 0 and 1"]),
    ("binary_cross_entropy", [[0.5], [1.0]], {"weight": [1.0, 2.0]}, ["weight", "(2,)", "(1,)"]),
    ("gaussian_nll_loss", [[1.0], [1.0], [-1.0]], {}, ["var has negative"]),
    ("gaussian_nll_loss", [[1.0], [1.0]], {"var": -1.0}, ["var has negative"]),
    ("gaussian_nll_loss", [[[1.0] * 3] * 2] * 2 + [[1.0] * 3], {}, ["var", "(3,)", "(2, 3)"]),
    ("gaussian_nll_loss", [[[1.0] * 3] * 2] * 2 + [[[1.0]]], {}, ["var", "(1, 1)", "(2, 3)"]),
    ("nll_loss", [1.0, 0], {}, ["input", "class axis"]),
    ("nll_loss", [[[1.0, 2.0]], [0, 1]], {}, ["target", "(1,)", "(2,)"]),
    ("nll_loss", [[[1.0, 2.0]], [[0]]], {}, ["target", "(1,)", "(1, 1)"]),
    ("nll_loss", [[[1.0, 2.0]], [2]], {}, ["target", "0 to 1", "2"]),
    ("nll_loss", [[[1.0, 2.0]], [-1]], {}, ["target", "0 to 1", "-1"]),
    ("nll_loss", [[[1.0, 2.0]], [1]], {"weight": [[1.0, 1.0]]}, ["weight", "(2,)", "(1, 2)"]),
    ("focal_loss", [[[1.0, 2.0]], [1]], {"gamma": -1.0}, ["gamma", "-1.0"]),
    ("cross_entropy", [[[1.0, 2.0]], [[0.5, 0.5]]], {"ignore_index": 1}, ["ignore_index", "1"]),
    ("multi_margin_loss", [[[1.0, 2.0]], [1]], {"p": 3}, ["p == 1 and p == 2", "3"]),
    ("multi_margin_loss", [[[1.0, 2.0]], [2]], {}, ["target out of range", "0 to 1"]),
    ("multi_margin_loss", [[[1.0, 2.0]], [-1]], {}, ["target out of range"]),
    ("multi_margin_loss", [[[1.0, 2.0]], [0, 1]], {}, ["target", "(1,)", "(2,)"]),
    ("multi_margin_loss", [[[[1.0, 2.0]]], [1]], {}, ["(1, 1, 2)"]),
    ("multi_margin_loss", [[[], []], [1, 1]], {}, ["(2, 0)"]),
    ("multi_margin_loss", [[[1.0, 2.0]], [1]], {"weight": [1.0]}, ["weight", "(2,)", "(1,)"]),
    ("multilabel_margin_loss", [[[1.0, 2.0]], [[2, -1]]], {}, ["target is out of range"]),
    ("multilabel_margin_loss", [[[1.0, 2.0]], [[-1, -2]]], {}, ["target is out of range"]),
    ("multilabel_margin_loss", [[[1.0, 2.0]], [[0]]], {}, ["(1, 1)", "(1, 2)"]),
    ("multilabel_soft_margin_loss", [1.0, 1.0], {}, ["input", "()"]),
    ("soft_margin_loss", [[1.0], [1.0, 1.0]], {}, ["target", "(2,)", "(1,)"]),
    ("margin_ranking_loss", [[[1.0]], [1.0], [1.0]], {}, ["same dimension", "(1, 1)", "(1,)"]),
    ("cosine_embedding_loss", [[1.0], [1.0], [1.0]], {}, ["1D target expects 2D", "(1,)"]),
    ("cosine_embedding_loss", [[1.0], [1.0], [[1.0]]], {}, ["0D or 1D target", "(1, 1)"]),
    ("cosine_embedding_loss", [[[1.0]] * 3, [[1.0]] * 3, [1.0, 1]], {}, ["target", "(2,)"]),
    ("triplet_margin_loss", [[1.0], [1.0], [1.0]], {"margin": 0.0}, ["margin", "0.0"]),
    ("triplet_margin_loss", [[[1.0]], [1.0], [1.0]], {}, ["anchor 2D", "positive 1D"]),
    ("triplet_margin_loss", [[]] * 3, {"p": INF}, ["norm"]),
    ("sigmoid_focal_loss", [[1.0], [1.0]], {"alpha": 1.5}, ["alpha", "1.5"]),
    ("sigmoid_focal_loss", [[1.0], [1.0]], {"gamma": -0.5}, ["gamma", "-0.5"]),
    ("dice_loss", [[1.0], [1.0]], {}, ["(N, C, ...)", "(1,)"]),
    ("dice_loss", [[[1.0]], [[1.0]]], {"smooth": -1.0}, ["smooth", "-1.0"]),
]


@pytest.mark.parametrize(
    ("name", "arrays", "options", "words"),
    REFUSED,
    ids=[f"{n}-{i}" for i, (n, *_) in enumerate(REFUSED)],
)
def test_what_pytorch_refuses(backend: Library, name: str, arrays, options, words) -> None:
    options = {k: backend.array(v) if isinstance(v, list) else v for k, v in options.items()}
    with refused(*words):
        getattr(ops, name)(*map(backend.array, arrays), **options)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize(
    ("name", "dtypes"),
    [("mse_loss", ("int64", "int64")), ("smooth_l1_loss", ("int64", "int64")),
     ("huber_loss", ("int64", "float64")), ("l1_loss", ("bool", "bool")),
     ("l1_loss", ("float64", "bool")), ("kl_div", ("float64", "int64")),
     ("binary_cross_entropy", ("float64", "int64")), ("hinge_embedding_loss", ("bool", "int64")),
     ("binary_cross_entropy_with_logits", ("float64", "int64")),
     ("soft_margin_loss", ("int64", "int64")), ("poisson_nll_loss", ("bool", "bool")),
     ("multilabel_soft_margin_loss", ("int64", "float64"))],
    ids=str,
)  # fmt: skip
def test_dtypes_that_pytorch_refuses(backend: Library, torch, name: str, dtypes) -> None:
    arrays = [np.ones((2, 3), dtype) for dtype in dtypes]
    with pytest.raises((RuntimeError, NotImplementedError)):
        getattr(torch.nn.functional, name)(*map(torch.tensor, arrays))
    with refused("floating", error=TypeError):
        getattr(ops, name)(*map(backend.array, arrays))


@pytest.mark.parametrize(
    "name", ["nll_loss", "focal_loss", "multi_margin_loss", "multilabel_margin_loss"]
)
def test_labels_are_integers(backend: Library, name: str) -> None:
    x = backend.array(np.ones((2, 2)))
    for labels in (np.ones((2, 2)), np.ones((2, 2), bool)):
        labels = labels if name == "multilabel_margin_loss" else labels[0]
        with refused("target must be integers", str(labels.dtype), error=TypeError):
            getattr(ops, name)(x, backend.array(labels))


def test_who_has_checked_is_not_checked(backend: Library) -> None:
    """Nobody looks at values inside `labels_checked`."""
    with ops.labels_checked():
        loss = ops.binary_cross_entropy(backend.array([1.5]), backend.array([0.0]))
        assert np.isnan(host(loss))
        ops.gaussian_nll_loss(*map(backend.array, ([1.0], [1.0], [-1.0])))
        ops.nll_loss(backend.array([[1.0, 2.0]]), backend.array([5]))
        ops.multi_margin_loss(backend.array([[1.0, 2.0]]), backend.array([5]))
        ops.multilabel_margin_loss(backend.array([[1.0, 2.0]]), backend.array([[5, 0]]))


def test_a_distance_of_your_own(backend: Library, rng) -> None:
    triplet = [rng.normal(size=(4, 3)) for _ in range(3)]
    arrays = list(map(backend.array, triplet))
    similar = ops.triplet_margin_with_distance_loss(
        *arrays, distance_function=ops.cosine_similarity, reduction="none"
    )
    near, far = (
        reference_loss.cosine_embedding_loss(triplet[0], other, np.ones(4)) for other in triplet[1:]
    )
    backend.assert_close(similar, np.maximum(1 + (1 - near) - (1 - far), 0))
    with refused("not a differentiable operation", error=TypeError):
        ops.triplet_margin_with_distance_loss(*arrays, distance_function=lambda a, b: a - b)
