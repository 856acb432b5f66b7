"""Losses: cross_entropy, mse_loss, binary_cross_entropy_with_logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

LOSSES = pytest.mark.parametrize(
    "loss", [ops.cross_entropy, ops.mse_loss, ops.binary_cross_entropy_with_logits]
)
reductions = st.sampled_from(["none", "mean", "sum"])
logit_shapes = st.tuples(
    st.integers(1, 4), st.integers(1, 4), st.lists(st.integers(1, 3), max_size=2)
).map(lambda parts: (parts[0], parts[1], *parts[2]))
shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)


def one_like(backend: Library, loss):
    return backend.array(np.ones(loss.shape, str(host(loss).dtype)))


# --- by hand ---------------------------------------------------------------------------------


def test_cross_entropy_by_hand(backend: Library) -> None:
    logits = backend.array(np.log([[1.0, 3.0], [2.0, 2.0]]))
    labels = backend.array([1, 0])
    loss, pullback = ops.vjp(ops.cross_entropy, logits, labels)
    backend.assert_close(loss, np.asarray(-(math.log(0.75) + math.log(0.5)) / 2))
    dlogits, dlabels = pullback(one_like(backend, loss))
    backend.assert_close(dlogits, np.array([[0.125, -0.125], [-0.25, 0.25]]))
    assert dlabels is None


def test_mse_by_hand(backend: Library) -> None:
    loss, pullback = ops.vjp(ops.mse_loss, backend.array([1.0, 2.0]), backend.array([4.0, 0.0]))
    backend.assert_close(loss, np.asarray(6.5))
    dx, dtarget = pullback(one_like(backend, loss))
    backend.assert_close(dx, np.array([-3.0, 2.0]))
    backend.assert_close(dtarget, np.array([3.0, -2.0]))


def test_bce_by_hand(backend: Library) -> None:
    x, target = backend.array([0.0, math.log(3)]), backend.array([1.0, 0.0])
    loss, pullback = ops.vjp(ops.binary_cross_entropy_with_logits, x, target)
    backend.assert_close(loss, np.asarray((math.log(2) + math.log(4)) / 2))
    backend.assert_close(pullback(one_like(backend, loss))[0], np.array([-0.25, 0.375]))


def test_uniform_logits_cost_the_logarithm_of_the_classes(backend: Library) -> None:
    loss = ops.cross_entropy(backend.array(np.zeros((5, 10))), backend.array(np.arange(5)))
    backend.assert_close(loss, np.asarray(math.log(10)))


# --- the loop oracles ------------------------------------------------------------------------


@given(
    shape=logit_shapes,
    weighted=st.booleans(),
    ignore=st.sampled_from([-100, 0]),
    reduction=reductions,
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    seed=seeds,
)
def test_cross_entropy_against_the_loops(
    backend: Library, shape, weighted, ignore, reduction, smoothing, seed
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=shape) * 4
    labels = rng.integers(0, shape[1], size=(shape[0], *shape[2:]))
    if reduction == "mean" and np.all(labels == ignore):
        return
    weight = rng.uniform(0.5, 2, size=shape[1]) if weighted else None
    loss = ops.cross_entropy(
        backend.array(logits),
        backend.array(labels),
        backend.array(weight) if weighted else None,
        ignore_index=ignore,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    desired = reference.cross_entropy(logits, labels, weight, ignore, reduction, smoothing)
    backend.assert_close(loss, desired)


@given(shape=shapes, reduction=reductions, seed=seeds)
def test_mse_against_the_loops(backend: Library, shape, reduction: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=shape), rng.normal(size=shape)
    loss = ops.mse_loss(backend.array(x), backend.array(target), reduction=reduction)
    backend.assert_close(loss, reference.mse_loss(x, target, reduction))


@given(
    shape=shapes, weighted=st.booleans(), positive=st.booleans(), reduction=reductions, seed=seeds
)
def test_bce_against_the_loops(backend, shape, weighted, positive, reduction, seed) -> None:
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=shape) * 5, rng.uniform(size=shape)
    weight = rng.uniform(0.5, 2, size=shape) if weighted else None
    pos_weight = rng.uniform(0.5, 2, size=shape[-1:]) if positive else None
    loss = ops.binary_cross_entropy_with_logits(
        backend.array(x),
        backend.array(target),
        weight=None if weight is None else backend.array(weight),
        reduction=reduction,
        pos_weight=None if pos_weight is None else backend.array(pos_weight),
    )
    desired = reference.bce_with_logits(x, target, weight, reduction, pos_weight)
    backend.assert_close(loss, desired)


# --- edges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_is_stable(backend: Library, dtype: str) -> None:
    logits = backend.array([[1e4, 0, -1e4], [1e4, 0, -1e4], [-np.inf, 0, 1]], dtype)
    labels = backend.array([0, 2, 2])
    loss, pullback = ops.vjp(ops.cross_entropy, logits, labels, reduction="none")
    desired = np.array([0.0, 2e4, math.log1p(math.exp(-1))])
    backend.assert_close(loss, desired, dtype=dtype)
    dlogits, _ = pullback(one_like(backend, loss))
    p = 1 / (1 + math.exp(1))
    desired = np.array([[0.0, 0, 0], [1, 0, -1], [0, p, -p]])
    backend.assert_close(dlogits, desired, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bce_is_stable(backend: Library, dtype: str) -> None:
    x = backend.array([1e4, -1e4, 1e4, -1e4], dtype)
    target = backend.array([0, 0, 1, 1], dtype)
    loss, pullback = ops.vjp(ops.binary_cross_entropy_with_logits, x, target, reduction="none")
    backend.assert_close(loss, np.array([1e4, 0, 0, 1e4]), dtype=dtype)
    (dx, *_) = pullback(one_like(backend, loss))
    backend.assert_close(dx, np.array([1.0, 0, 0, -1]), dtype=dtype)


def test_unbatched_cross_entropy(backend: Library) -> None:
    loss = ops.cross_entropy(backend.array(np.log([1.0, 3.0])), backend.array(1))
    backend.assert_close(loss, np.asarray(-math.log(0.75)))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_labels_of_any_integer_dtype(backend: Library, rng, dtype: str) -> None:
    logits, labels = rng.normal(size=(4, 3)), np.array([2, 0, 1, 1])
    loss = ops.cross_entropy(backend.array(logits), backend.array(labels, dtype))
    backend.assert_close(loss, reference.cross_entropy(logits, labels))


def test_more_classes_than_the_labels_dtype_can_count(backend: Library, rng) -> None:
    logits, labels = rng.normal(size=(2, 300)), np.array([5, 200])
    loss, pullback = ops.vjp(
        ops.cross_entropy, backend.array(logits), backend.array(labels, "uint8")
    )
    backend.assert_close(loss, reference.cross_entropy(logits, labels))
    p = reference.softmax(logits, 1)
    p[[0, 1], labels] -= 1
    backend.assert_close(pullback(one_like(backend, loss))[0], p / 2)


def test_the_mean_of_no_labels_is_nan_and_harms_no_weight(backend: Library) -> None:
    logits, labels = backend.array(np.ones((2, 3))), backend.array([-100, -100])
    loss, pullback = ops.vjp(ops.cross_entropy, logits, labels)
    backend.assert_equal(loss, np.asarray(np.nan))
    backend.assert_equal(pullback(one_like(backend, loss))[0], np.zeros((2, 3)))


def test_ignored_labels_cost_nothing_and_have_no_gradient(backend: Library, rng) -> None:
    logits, labels = rng.normal(size=(3, 4)), np.array([1, -100, 2])
    loss, pullback = ops.vjp(ops.cross_entropy, backend.array(logits), backend.array(labels))
    backend.assert_close(loss, reference.cross_entropy(logits[[0, 2]], labels[[0, 2]]))
    dlogits = host(pullback(one_like(backend, loss))[0])
    np.testing.assert_array_equal(dlogits[1], np.zeros(4))
    assert np.all(dlogits[[0, 2]] != 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_labels_without_weight_as_pytorch(backend: Library, torch, smoothing: float) -> None:
    """Their mean is NaN, also where other classes have a share by smoothing."""

    def theirs(*given: Any) -> Any:
        return torch.nn.functional.cross_entropy(*given, label_smoothing=smoothing)

    arrays = [np.array([[0.5, 1.0], [2.0, 3.0]]), np.array([0, 0]), np.array([0.0, 2.0])]
    assert_as_torch(
        backend, ops.cross_entropy, theirs, arrays, without_gradient=[2], label_smoothing=smoothing
    )


@pytest.mark.parametrize("reduction", ["none", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("weighted", [False, True])
def test_odd_logits_as_pytorch(backend: Library, torch, reduction, smoothing, weighted) -> None:
    """Beside labels that count, that are ignored, and that have no weight."""
    odd = [[0.0, -np.inf], [0.0, np.inf], [np.nan, 1.0], [2.0, 1.0], [-np.inf, -np.inf]]
    logits, labels = np.array(odd * 3), np.repeat([0, 1, -7], 5)
    weight = np.array([0.0, 2.0]) if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": -7}
    assert_as_torch(
        backend,
        ops.cross_entropy,
        lambda *given: torch.nn.functional.cross_entropy(*given, **options),
        [logits, labels, weight],
        without_gradient=[2],
        **options,
    )


def test_no_classes(backend: Library) -> None:
    """Then no label can be right, but all may be ignored."""
    logits, labels = backend.array(np.zeros((2, 0))), backend.array(np.array([-100, -100]))
    loss, pullback = ops.vjp(ops.cross_entropy, logits, labels, reduction="none")
    backend.assert_equal(loss, np.zeros(2))
    assert pullback(loss)[0].shape == (2, 0)


@LOSSES
def test_unknown_reduction(backend: Library, loss) -> None:
    target = [0, 1] if loss is ops.cross_entropy else np.ones((2, 3))
    with refused("reduction", "'none'", "'mean'", "'sum'", "'average'"):
        loss(backend.array(np.ones((2, 3))), backend.array(target), reduction="average")


@pytest.mark.parametrize("label", [3, -1, 100, -101])
def test_labels_out_of_range_are_named(backend: Library, label: int) -> None:
    labels = backend.array([0, label, 2, 1])
    with refused("labels", str(label), "0 to 2"):
        ops.cross_entropy(backend.array(np.ones((4, 3))), labels)


@pytest.mark.parametrize(
    ("logits", "labels", "weight", "words"),
    [
        ((4, 3), (3,), None, ["labels", "(3,)", "(4,)"]),
        ((4, 3, 2), (4,), None, ["labels", "(4,)", "(4, 2)"]),
        ((4, 3), (4, 1), None, ["labels", "(4, 1)"]),
        ((), (), None, ["()"]),
        ((4, 3), (4,), (4,), ["weight", "3", "4"]),
    ],
    ids=str,
)
def test_cross_entropy_names_bad_shapes(backend: Library, logits, labels, weight, words) -> None:
    with refused(*words):
        ops.cross_entropy(
            backend.array(np.ones(logits)),
            backend.array(np.zeros(labels, "int64")),
            None if weight is None else backend.array(np.ones(weight)),
        )


def test_floating_labels_are_probabilities(backend: Library) -> None:
    logits = backend.array(np.ones((2, 3)))
    with refused("labels", "(2, 3)", "(2,)"):
        ops.cross_entropy(logits, backend.array([0.0, 1.0]))
    with refused("labels", "float32", "float64", error=TypeError):
        ops.cross_entropy(logits, backend.array(np.ones((2, 3)), "float32"))


def test_labels_are_no_truth_values(backend: Library) -> None:
    with refused("labels", "bool", error=TypeError):
        ops.cross_entropy(backend.array(np.ones((2, 2))), backend.array([True, False]))


@pytest.mark.parametrize("smoothing", [-0.1, 1.1])
def test_label_smoothing_is_a_share(backend: Library, smoothing: float) -> None:
    with pytest.raises(ValueError, match=f"label_smoothing.*{smoothing}"):
        ops.cross_entropy(
            backend.array(np.ones((1, 3))), backend.array([0]), label_smoothing=smoothing
        )


@pytest.mark.parametrize("loss", [ops.mse_loss, ops.binary_cross_entropy_with_logits])
def test_target_must_have_the_inputs_shape(backend: Library, loss) -> None:
    with refused("(4, 3)", "(4, 1)"):
        loss(backend.array(np.ones((4, 3))), backend.array(np.ones((4, 1))))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@LOSSES
def test_the_mean_of_nothing_is_nan(backend: Library, loss) -> None:
    target = np.zeros(0, "int64") if loss is ops.cross_entropy else np.zeros((0, 3))
    arrays = backend.array(np.zeros((0, 3))), backend.array(target)
    value, pullback = ops.vjp(loss, *arrays)
    backend.assert_equal(value, np.asarray(np.nan))
    assert pullback(value)[0].shape == (0, 3)
    backend.assert_equal(loss(*arrays, reduction="sum"), np.asarray(0.0))
    assert loss(*arrays, reduction="none").shape[0] == 0


@pytest.mark.parametrize("name", ["weight", "pos_weight"])
@pytest.mark.parametrize("shape", [(2,), (3, 4), (1, 4, 3)])
def test_bce_names_weights_that_do_not_broadcast(backend: Library, name: str, shape) -> None:
    x = backend.array(np.ones((4, 3)))
    with refused(name, str(shape), "(4, 3)"):
        ops.binary_cross_entropy_with_logits(x, x, **{name: backend.array(np.ones(shape))})


# --- PyTorch ---------------------------------------------------------------------------------


@given(
    shape=logit_shapes,
    weighted=st.booleans(),
    ignore=st.sampled_from([-100, 0]),
    reduction=reductions,
    smoothing=st.sampled_from([0.0, 0.1]),
    seed=seeds,
    dtype=dtypes,
)
def test_cross_entropy_as_pytorch(
    backend: Library, torch, shape, weighted, ignore, reduction, smoothing, seed, dtype
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, shape[1], size=(shape[0], *shape[2:]))
    labels.flat[0] = shape[1] - 1
    if ignore == shape[1] - 1:
        return
    options = {"ignore_index": ignore, "reduction": reduction, "label_smoothing": smoothing}
    assert_as_torch(
        backend,
        ops.cross_entropy,
        lambda logits, labels, weight: torch.nn.functional.cross_entropy(
            logits, labels, weight, **options
        ),
        [rng.normal(size=shape), labels, rng.uniform(1, 2, shape[1]) if weighted else None],
        without_gradient=(2,),
        dtype=dtype,
        **options,
    )


@given(
    shape=logit_shapes,
    weighted=st.booleans(),
    reduction=reductions,
    smoothing=st.sampled_from([0.0, 0.1]),
    seed=seeds,
    dtype=dtypes,
)
def test_cross_entropy_with_probabilities_as_pytorch(
    backend: Library, torch, shape, weighted, reduction, smoothing, seed, dtype
) -> None:
    rng = np.random.default_rng(seed)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    weight = rng.uniform(1, 2, shape[1]) if weighted else None
    assert_as_torch(
        backend,
        ops.cross_entropy,
        lambda logits, labels, weight: torch.nn.functional.cross_entropy(
            logits, labels, weight, **options
        ),
        [rng.normal(size=shape), reference.softmax(rng.normal(size=shape), 1), weight],
        dtype=dtype,
        **options,
    )


@given(shape=shapes, reduction=reductions, seed=seeds, dtype=dtypes)
def test_mse_as_pytorch(backend: Library, torch, shape, reduction, seed, dtype) -> None:
    rng = np.random.default_rng(seed)
    assert_as_torch(
        backend,
        ops.mse_loss,
        lambda x, target: torch.nn.functional.mse_loss(x, target, reduction=reduction),
        [rng.normal(size=shape), rng.normal(size=shape)],
        dtype=dtype,
        reduction=reduction,
    )


@given(
    shape=shapes,
    weighted=st.booleans(),
    positive=st.booleans(),
    reduction=reductions,
    seed=seeds,
    dtype=dtypes,
)
def test_bce_as_pytorch(
    backend: Library, torch, shape, weighted, positive, reduction, seed, dtype
) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.uniform(1, 2, shape).astype(dtype) if weighted else None
    pos_weight = rng.uniform(1, 2, shape[-1:]).astype(dtype) if positive else None
    assert_as_torch(
        backend,
        ops.binary_cross_entropy_with_logits,
        lambda x, target, weight: torch.nn.functional.binary_cross_entropy_with_logits(
            x,
            target,
            weight,
            reduction=reduction,
            pos_weight=None if pos_weight is None else torch.tensor(pos_weight),
        ),
        [rng.normal(size=shape) * 3, rng.uniform(size=shape), weight],
        without_gradient=(2,),
        dtype=dtype,
        reduction=reduction,
        **({} if pos_weight is None else {"pos_weight": backend.array(pos_weight)}),
    )
