"""Optimisers: how parameters follow their gradients.

An optimiser is a pure update rule for one parameter and the state that the rule carries from step
to step. It knows parameters by their names, as ``state_dict()`` gives them, so one optimiser serves
any model, and its state moves with the model from device to device.
"""

from __future__ import annotations

from ._adam import Adam as Adam, AdamW as AdamW
from ._clip import clip_grad_norm as clip_grad_norm
from ._optimizer import Optimizer as Optimizer
from ._sgd import SGD as SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm"]
