"""Models by name and models from files: what `summary`, `evaluate` and `predict` work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import UsageError, require
from ._parser import shape as parse_shape

if TYPE_CHECKING:
    from ..nn import Module

WEIGHTS = "model.safetensors"
DATASETS = ("digits",)


@dataclass(frozen=True)
class Card:
    """What a weights file says about the model in it.

    Parameters
    ----------
    name : str
        The model, as in `xpconv.models.MODELS`.
    input_shape : tuple of int
        One input as (C, H, W).
    num_classes : int
        Length of the logits.
    dataset : str
        What it was trained on.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    dataset: str

    def to_metadata(self) -> dict[str, str]:
        """Return the card as the texts that a safetensors file can hold."""
        return {
            "model": self.name,
            "input_shape": in_words(self.input_shape),
            "num_classes": str(self.num_classes),
            "dataset": self.dataset,
        }

    @classmethod
    def from_metadata(cls, file: Path, metadata: Mapping[str, str]) -> Card:
        """Read a card back.

        Raises
        ------
        UsageError
            When there is none.
        """
        try:
            shape, classes = parse_shape(metadata["input_shape"]), int(metadata["num_classes"])
            card = cls(metadata["model"], shape, classes, metadata["dataset"])
        except Exception as error:
            raise UsageError(
                f"{file} does not say which model it holds, so 'xpconv train' has not written it"
            ) from error
        if card.dataset not in DATASETS:
            raise UsageError(f"{file} was trained on {card.dataset!r}, which is not known here")
        return card


def in_words(shape: tuple[int, ...]) -> str:
    """Write a shape as it is typed, as in ``1x8x8``."""
    return "x".join(map(str, shape))


def build(
    name: str, input_shape: tuple[int, ...] | None = None, num_classes: int | None = None
) -> tuple[Module, tuple[int, ...]]:
    """Build a model by name for inputs of a shape, and return both.

    Raises
    ------
    UsageError
        When the shape is not (C, H, W).
    ValueError
        When there is no model of that name.
    """
    from ..models import MODELS, get_model

    options: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    if input_shape is None:
        model = get_model(name, **options)
        return model, MODELS[name.lower()].input_shape
    if len(input_shape) != 3:
        raise UsageError(f"a model takes CxHxW, got {len(input_shape)} sizes")
    model = get_model(name, in_channels=input_shape[0], **options)
    check_fits(model, name, input_shape)
    return model, input_shape


def check_fits(model: Module, name: str, input_shape: tuple[int, ...]) -> None:
    """See that a model takes inputs of a shape, by trying it.

    Raises
    ------
    UsageError
        When it does not; with what it said.
    """
    from ..nn import summary

    try:
        summary(model, input_shape)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name} does not take {in_words(input_shape)}: {error}") from error


def build_or_load(
    name: str, input_shape: tuple[int, ...] | None, num_classes: int | None
) -> tuple[Module, tuple[int, ...]]:
    """Build a model by name or, where the name is a file or directory, load what is there."""
    from ..models import MODELS

    path = Path(name)
    if name.lower() not in MODELS and (path.exists() or path.suffix or path.name != name):
        if num_classes is not None:
            raise UsageError(f"--num-classes does not apply to {name}, whose model is trained")
        model, card = load(path)
        if input_shape is not None:
            check_fits(model, card.name, input_shape)
        return model, input_shape or card.input_shape
    return build(name, input_shape, num_classes)


def load(path: Path) -> tuple[Module, Card]:
    """Load a model from a run's directory or a weights file, on the current backend.

    Raises
    ------
    UsageError
        When there is no such file, it does not say which model it holds, or holds another's.
    CheckpointError
        When the file is damaged.
    """
    require("safetensors")
    from .. import checkpoint

    file = path / WEIGHTS if path.is_dir() else path
    if not file.exists():
        raise UsageError(f"there is no file {file}; 'xpconv train' writes one")
    weights = checkpoint.load_weights(file)
    card = Card.from_metadata(file, checkpoint.load_metadata(file))
    model, _ = build(card.name, card.input_shape, card.num_classes)
    try:
        model.load_state_dict(weights)
    except ValueError as error:
        raise UsageError(f"{file} does not hold the weights of {card.name}: {error}") from error
    return model, card
