"""What a trainer accepts as a loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import host
from xpconv import nn, ops
from xpconv.train._losses import NAMES, VALUES, as_loss, loss_name, targets_of

LOGITS = np.asarray([[1.0, -2.0], [0.5, 3.0], [0.0, 0.0]])


LAYERS = {
    layer._op.__name__: layer
    for layer in vars(nn).values()
    if isinstance(layer, type) and issubclass(layer, nn.Loss) and layer is not nn.Loss
}


@pytest.mark.parametrize("name", NAMES)
def test_names_operations_and_layers_agree(backend: Any, name: str) -> None:
    layer = LAYERS[name]()
    whole = name not in VALUES
    values = np.asarray([0, 1, 1]) if whole else LOGITS > 0.7
    output = 1 / (1 + np.exp(-LOGITS)) if name == "binary_cross_entropy" else LOGITS
    logits, target = backend.array(output), backend.array(values, "int64" if whole else "float64")
    assert targets_of(layer) == targets_of(as_loss(name))
    results = []
    for loss in (name, getattr(ops, name), layer):
        value, backward = as_loss(loss).forward(logits, target)
        results.append((host(value), host(backward())))
    for value, dlogits in results[1:]:
        np.testing.assert_array_equal(value, results[0][0])
        np.testing.assert_array_equal(dlogits, results[0][1])


def test_cotangent_of_the_loss_scales_the_gradient() -> None:
    """What loss scaling needs."""
    _, backward = as_loss("cross_entropy").forward(LOGITS, np.asarray([0, 1, 1]))
    np.testing.assert_allclose(backward(np.asarray(8.0)), 8 * backward(), rtol=1e-15)


def test_names_of_losses() -> None:
    assert loss_name(as_loss("mse_loss")) == "mse_loss"
    assert loss_name(as_loss(nn.MSELoss())) == "MSELoss"


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match="unknown loss 'crossentropy'; there are 'cross_entropy'"):
        as_loss("crossentropy")


@pytest.mark.parametrize("loss", [np.mean, 3, None])
def test_not_a_loss(loss: Any) -> None:
    with pytest.raises(TypeError, match="loss must be a name, a differentiable operation"):
        as_loss(loss)


def test_what_losses_compare_with() -> None:
    class Mine(nn.CrossEntropyLoss):
        pass

    class Other:
        def forward(self, logits: Any, target: Any) -> Any:
            return logits

    assert targets_of(as_loss("cross_entropy")) == targets_of(Mine()) == "classes"
    assert targets_of(as_loss(ops.mse_loss)) == targets_of(nn.BCEWithLogitsLoss()) == "values"
    assert targets_of(as_loss(ops.linear)) is None
    assert targets_of(Other()) is None
