"""Losses as objects."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library
from tests.refusals import refused
from xpconv import nn

LABELS = np.array([0, 2, 1, 2])


def cases(rng: np.random.Generator) -> list[tuple]:
    logits, target = rng.normal(size=(4, 3)), rng.uniform(size=(4, 3))
    weight = rng.uniform(1, 2, size=3)
    return [
        ("CrossEntropyLoss", {}, logits, LABELS),
        ("CrossEntropyLoss", {"weight": weight, "label_smoothing": 0.1}, logits, LABELS),
        ("CrossEntropyLoss", {"ignore_index": 2, "reduction": "sum"}, logits, LABELS),
        ("CrossEntropyLoss", {"reduction": "none"}, logits, LABELS),
        ("MSELoss", {}, logits, target),
        ("MSELoss", {"reduction": "sum"}, logits, target),
        ("BCEWithLogitsLoss", {}, logits, target),
        ("BCEWithLogitsLoss", {"pos_weight": weight}, logits, target),
    ]


@pytest.mark.parametrize("number", range(8))
def test_as_pytorch(backend: Library, torch, rng, number: int) -> None:
    name, options, logits, target = cases(rng)[number]
    arrays = {k: v for k, v in options.items() if isinstance(v, np.ndarray)}
    theirs = getattr(torch.nn, name)(**options | {k: torch.tensor(v) for k, v in arrays.items()})
    ours = getattr(nn, name)(**options | {k: backend.array(v) for k, v in arrays.items()})
    tensor = torch.tensor(logits, requires_grad=True)
    desired = theirs(tensor, torch.tensor(target))
    desired.backward(torch.ones_like(desired))
    given = backend.array(logits), backend.array(target)
    loss, backward = ours.forward(*given)
    backend.assert_close(loss, desired.detach().numpy())
    backend.assert_equal(ours(*given), loss)
    backend.assert_close(backward(), tensor.grad.numpy())
    backend.assert_close(backward(2 * backend.xp.ones_like(loss)), 2 * tensor.grad.numpy())
    assert name in repr(ours)


@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, nn.MSELoss, nn.BCEWithLogitsLoss])
def test_reductions_are_checked_early(kind) -> None:
    with refused("reduction", "'average'"):
        kind(reduction="average")
