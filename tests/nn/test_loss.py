"""Losses as objects."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, dtype_name
from tests.ops.loss_calls import CALLS, OURS
from tests.refusals import refused
from xpconv import nn, ops
from xpconv.nn._options import input_names

LABELS = np.array([0, 2, 1, 2])
WEIGHT = np.array([1.0, 1.5, 0.5])
LOGITS, TARGET = np.random.default_rng(1).uniform(0, 1, size=(2, 4, 3))
LOGITS = 4 * LOGITS - 2

CASES = [
    ("CrossEntropyLoss", {}, LABELS),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, LABELS),
    ("CrossEntropyLoss", {"ignore_index": 2, "reduction": "sum"}, LABELS),
    ("CrossEntropyLoss", {"reduction": "none"}, LABELS),
    ("CrossEntropyLoss", {}, TARGET),
    ("MSELoss", {}, TARGET),
    ("MSELoss", {"reduction": "sum"}, TARGET),
    ("MSELoss", {"reduction": "none"}, TARGET),
    ("BCEWithLogitsLoss", {}, TARGET),
    ("BCEWithLogitsLoss", {"weight": WEIGHT}, TARGET),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT, "reduction": "sum"}, TARGET),
    ("BCEWithLogitsLoss", {"reduction": "none"}, TARGET),
]
EACH = pytest.mark.parametrize(
    ("name", "options", "target"), CASES, ids=[f"{c[0]}-{'-'.join(c[1])}" for c in CASES]
)
OPERATIONS = {
    "CrossEntropyLoss": ops.cross_entropy,
    "MSELoss": ops.mse_loss,
    "BCEWithLogitsLoss": ops.binary_cross_entropy_with_logits,
}


def given(options: dict, make) -> dict:
    return {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


@EACH
def test_as_pytorch(backend: Library, torch, name: str, options, target) -> None:
    theirs = getattr(torch.nn, name)(**given(options, torch.tensor))
    ours = getattr(nn, name)(**given(options, backend.array))
    tensor = torch.tensor(LOGITS, requires_grad=True)
    desired = theirs(tensor, torch.tensor(target))
    desired.backward(torch.ones_like(desired))
    loss, backward = ours.forward(backend.array(LOGITS), backend.array(target))
    backend.assert_close(loss, desired.detach().numpy())
    backend.assert_close(backward(), tensor.grad.numpy())
    for attribute in ("reduction", "ignore_index", "label_smoothing"):
        assert getattr(ours, attribute, None) == getattr(theirs, attribute, None)
    for attribute in ("weight", "pos_weight"):
        assert (getattr(ours, attribute, None) is None) == (
            getattr(theirs, attribute, None) is None
        )


LAYERS = {
    layer._op.__name__: layer
    for layer in vars(nn).values()
    if isinstance(layer, type) and issubclass(layer, nn.Loss) and layer is not nn.Loss
}


def test_every_loss_has_a_layer() -> None:
    assert set(CALLS) | set(OURS) <= set(LAYERS)
    for layer in LAYERS.values():
        assert getattr(nn, layer.__name__) is layer
        assert layer.__name__ in nn.__all__


@pytest.mark.parametrize("name", CALLS)
def test_constructors_as_pytorch(torch, name: str) -> None:
    """Same names in the same order with the same defaults, without what PyTorch deprecates."""

    def arguments(layer: type) -> list[tuple[str, Any]]:
        parameters = inspect.signature(layer).parameters.values()
        return [(p.name, p.default) for p in parameters if p.name not in ("size_average", "reduce")]

    assert arguments(LAYERS[name]) == arguments(getattr(torch.nn, LAYERS[name].__name__))


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("name", [*CALLS, *OURS])
@pytest.mark.parametrize("seed", range(4))
def test_every_layer(backend: Library, torch, name: str, seed: int) -> None:
    """As the operation, with a gradient for each input beside the target; and as PyTorch's."""
    arrays, options = (CALLS | OURS)[name](np.random.default_rng(seed), (3, 4))
    inputs: list[Any] = [*arrays, *([options.pop("var")] if "var" in options else [])]
    layer, operation = LAYERS[name], getattr(ops, name)
    if name in ("mse_loss", "l1_loss", "huber_loss"):
        options.pop("weight", None)
    options["reduction"] = ("mean", "sum", "none", "batchmean" if name == "kl_div" else "mean")[
        seed
    ]
    here = [backend.array(x) if isinstance(x, np.ndarray) else x for x in inputs]
    ours = layer(**given(options, backend.array))
    loss, backward = ours.forward(*here)
    expected, pullback = ops.vjp(operation, *here, **given(options, backend.array))
    backend.assert_equal(loss, expected)
    backend.assert_equal(ours(*here), expected)
    gradients = backward()
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    names = input_names(operation)
    desired = pullback(backend.xp.ones_like(loss))
    wanted = [d for d, n in zip(desired, names, strict=False) if n != "target"]
    for gradient, other in zip(gradients, wanted, strict=True):
        assert gradient is None if other is None else gradient is not None
        if other is not None:
            backend.assert_equal(gradient, other)
    if name in CALLS:
        theirs = getattr(torch.nn, layer.__name__)(**given(options, torch.tensor))
        tensors = [torch.tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
        backend.assert_close(loss, theirs(*tensors).numpy())


def test_what_pytorch_refuses_at_once() -> None:
    with refused("p == 1 and p == 2", "3"):
        nn.MultiMarginLoss(p=3)
    for layer in (nn.TripletMarginLoss, nn.TripletMarginWithDistanceLoss):
        with refused("margin", "0"):
            layer(margin=0)
    with refused("reduction", "'sum'", "'batchmean'"):
        nn.MSELoss(reduction="batchmean")
    with refused("unexpected keyword argument 'weight'", "MSELoss", error=TypeError):
        nn.MSELoss(weight=1)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_the_operation(backend: Library, name: str, options, target, dtype: str) -> None:
    def array(values: np.ndarray):
        return backend.array(values, dtype if values.dtype.kind == "f" else None)

    ours = getattr(nn, name)(**given(options, array))
    logits, there = array(LOGITS), array(target)
    expected, pullback = ops.vjp(OPERATIONS[name], logits, there, **given(options, array))
    loss, backward = ours.forward(logits, there)
    backend.assert_equal(loss, expected)
    backend.assert_equal(ours(logits, there), expected)
    assert dtype_name(loss) == dtype
    dloss = backend.array(np.full(loss.shape, 2.0), dtype)
    dlogits = backward(dloss)
    backend.assert_equal(dlogits, pullback(dloss)[0])
    backend.assert_equal(backward(backend.xp.ones_like(loss)), backward())
    backend.assert_equal(backward(dloss), dlogits)  # again, and the same
    backend.assert_equal(logits, LOGITS.astype(dtype))


def test_it_goes_on_into_a_model(backend: Library) -> None:
    """By hand: one weight w = 2, one input x = 3, target 5: (6 - 5)^2, and dw = 2 (6 - 5) 3."""
    layer = nn.Linear(1, 1, bias=False)
    layer.update({"weight": backend.array([[2.0]])})
    y, backward = layer.forward(backend.array([[3.0]]), training=True)
    loss, loss_backward = nn.MSELoss().forward(y, backend.array([[5.0]]))
    backend.assert_close(loss, np.array(1.0))
    dx, grads = backward(loss_backward())
    backend.assert_close(grads["weight"], np.array([[6.0]]))
    backend.assert_close(dx, np.array([[4.0]]))


@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, nn.MSELoss, nn.BCEWithLogitsLoss])
def test_reductions_are_checked_early(kind) -> None:
    with refused("reduction", "'average'"):
        kind(reduction="average")
    assert "reduction='sum'" in repr(kind(reduction="sum"))
    assert repr(kind()).startswith(kind.__name__ + "(")


def test_an_option_may_be_changed_later() -> None:
    loss = nn.CrossEntropyLoss()
    loss.reduction = "none"
    loss.ignore_index = 2
    expected = nn.CrossEntropyLoss(ignore_index=2, reduction="none")(LOGITS, LABELS)
    np.testing.assert_array_equal(loss(LOGITS, LABELS), expected)


def test_what_does_not_fit_is_named(backend: Library) -> None:
    logits, labels = backend.array(LOGITS), backend.array(LABELS)
    loss = nn.CrossEntropyLoss()
    for call in (loss, loss.forward):
        with refused("labels", "3", "4"):
            call(logits, backend.array(LABELS[:3]))
        with refused("7", "3"):
            call(logits, backend.array([0, 1, 2, 7]))
    with refused("target", "(4, 3)", "(4,)"):
        nn.MSELoss()(logits, backend.array(TARGET[:, 0]))
    with refused("weight", "3", "2"):
        nn.CrossEntropyLoss(weight=backend.array(WEIGHT[:2]))(logits, labels)
    with refused("target", "float32", "float64", error=TypeError):
        nn.MSELoss()(logits, backend.array(TARGET, "float32"))


def test_arrays_of_another_library_are_named(backend: Library) -> None:
    if backend.xp is Library("numpy").xp:
        return
    logits, labels = backend.array(LOGITS), backend.array(LABELS)
    with refused("weight is a numpy array", "asarray(weight)", error=TypeError):
        nn.CrossEntropyLoss(weight=WEIGHT)(logits, labels)
    with refused("labels is a numpy array", "asarray(labels)", error=TypeError):
        nn.CrossEntropyLoss()(logits, LABELS)
    with refused("target is a numpy array", "asarray(target)", error=TypeError):
        nn.MSELoss()(logits, TARGET)
