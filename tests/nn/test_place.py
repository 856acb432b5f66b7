"""A layer that refuses its input says which one it is, in a note and in the Trainer's words."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from xpconv import Trainer, get_backend, nn
from xpconv._place import where


class Block(nn.Module):
    def __init__(self) -> None:
        self.inner = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 6, 3))

    def forward(self, x: Any, training: bool = False) -> Any:
        return self.inner.forward(x, training=training)


def graph() -> nn.Module:
    x = nn.Input()
    conv = nn.Conv2d(4, 6, 3)
    return nn.Graph(x, nn.ReLU()(conv(x)), names={"conv": conv})


MODELS: dict[str, tuple[Any, str]] = {
    "a layer": (lambda: nn.Conv2d(4, 6, 3), "Conv2d"),
    "inside": (lambda: nn.Sequential(nn.ReLU(), Block()), "layer '1.inner.1' (Conv2d)"),
    "a pair": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU()), "layer '0' (Conv2d)"),
    "a graph": (graph, "layer 'conv' (Conv2d)"),
    "a branch": (
        lambda: nn.Concat(nn.Identity(), nn.Sequential(nn.Tanh(), nn.Conv2d(4, 2, 1))),
        "layer '1.1' (Conv2d)",
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("way", ["forward", "infer"])
def test_the_layer_that_refuses_is_noted(backend: Library, name: str, way: str) -> None:
    build, place = MODELS[name]
    model = build().to(backend.spec)
    x = backend.array(np.ones((2, 5, 8, 8), dtype="float32"))
    with pytest.raises(ValueError, match="expects 4 input channels, but x of shape") as caught:
        model.forward(x, training=True) if way == "forward" else model(x)
    assert where(caught.value) == place
    assert caught.value.__notes__ == [f"in {place}"]
    assert traceback.format_exception(caught.value)[-1] == f"in {place}\n"
    assert place not in str(caught.value)


def test_the_way_back_notes_it_too() -> None:
    model = nn.Sequential(nn.Sequential(nn.Tanh(), nn.Linear(3, 2)), nn.Tanh()).to("numpy")
    _, backward = model[:1].forward(np.ones((4, 3), dtype="float32"), training=True)
    with pytest.raises(TypeError) as caught:
        backward("no array")
    assert where(caught.value).startswith("layer '0")


def test_notes_of_others_stay() -> None:
    class Strict(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            error = ValueError("never")
            error.add_note("try another")
            raise error

    with pytest.raises(ValueError, match="never") as caught:
        nn.Sequential(nn.Sequential(Strict()))(np.ones(1))
    assert caught.value.__notes__ == ["try another", "in layer '0.0' (Strict)"]
    assert where(ValueError("elsewhere")) == ""


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 6 * 6, 3))


@pytest.mark.parametrize("call", ["fit", "validate", "evaluate", "predict"])
def test_the_trainer_says_which_layer_refuses_images_of_which_size(call: str) -> None:
    trainer = Trainer(network(), backend="numpy", progress=False)
    y = np.zeros(4, dtype="int64")
    good, wrong = (np.ones((4, 1, size, size), dtype="float32") for size in (8, 9))
    calls: dict[str, Any] = {
        "fit": lambda: trainer.fit((wrong, y), epochs=1),
        "validate": lambda: trainer.fit((good, y), (wrong, y), epochs=1),
        "evaluate": lambda: trainer.evaluate((wrong, y)),
        "predict": lambda: trainer.predict(wrong),
    }
    with pytest.raises(ValueError, match="expects 72 features") as caught:
        calls[call]()
    which = {"fit": "training", "validate": "validation"}.get(call, "given")
    begin = f"layer '3' (Linear) refuses the {which} data of shape (N, 1, 9, 9): "
    assert str(caught.value).startswith(begin)
    assert isinstance(caught.value.__cause__, ValueError)
    assert get_backend("numpy") == trainer.backend


def test_a_refusal_that_is_no_layers_own() -> None:
    class Own(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            raise TypeError("not today")

    trainer = Trainer(Own(), loss="mse_loss", backend="numpy", progress=False)
    x = np.ones((4, 2), dtype="float32")
    with pytest.raises(
        TypeError, match=r"^Own refuses the given data of shape \(N, 2\): not today"
    ):
        trainer.evaluate((x, x))
