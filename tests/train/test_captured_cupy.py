"""CUDA graphs on a GPU: the bits of plain steps, with CuPy's own recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpconv
from tests.backends import Library, host
from tests.train.captured import OPTIMIZERS, assert_alike, fitted, trainer
from tests.train.small import network
from xpconv import models, optim, train

CUPY = pytest.mark.parametrize("backend", ["cupy"], indirect=True)


def assert_captured(made: train.Trainer) -> None:
    assert made.cuda_graphs.refusal is None
    assert any(graph.recording is not None for graph in made.cuda_graphs._graphs.values())


@CUPY
@pytest.mark.parametrize("precision", [None, "fp16", "bf16"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_same_bits(backend: Library, name: str, precision: str | None) -> None:
    runs = []
    for graphs in (False, True):
        optimizer = OPTIMIZERS[name]()
        options: dict[str, Any] = {"precision": precision, "clip_norm": 1.0, "optimizer": optimizer}
        runs.append(fitted(trainer(graphs, backend=backend.spec, **options)))
    assert_alike(*runs)
    assert_captured(runs[1])


@CUPY
def test_skipped_steps_have_the_same_bits(backend: Library) -> None:
    runs = []
    for graphs in (False, True):
        made = trainer(graphs, backend=backend.spec, precision="fp16")
        made.precision.scaler.scale = made.backend.asarray(2.0**26, "float32")
        runs.append(fitted(made))
    assert_alike(*runs)
    assert_captured(runs[1])


@CUPY
@pytest.mark.parametrize(
    ("name", "shape"),
    [("lenet5", (1, 28, 28)), ("small_vgg", (3, 32, 32)), ("resnet18_cifar", (3, 32, 32))],
)
@pytest.mark.parametrize("precision", [None, "bf16"])
def test_models(backend: Library, name: str, shape: tuple[int, ...], precision: str | None) -> None:
    """Steps of a loop of one's own, whose memory other work takes and gives back in between."""
    draw = np.random.default_rng(0)
    x = backend.array(draw.standard_normal((16, *shape)), "float32")
    y = backend.array(draw.integers(0, 10, 16))
    runs = []
    for graphs in (False, True):
        rng = xpconv.random.Stream(0)
        model = models.get_model(name, num_classes=10, in_channels=shape[0], rng=rng)
        made = trainer(
            graphs, model, backend=backend.spec, precision=precision, optimizer=optim.SGD(0.01, 0.9)
        )
        losses = []
        with made.captured_steps() as step:
            for _ in range(6):
                losses.append(float(step(x, y)[0]))
                backend.xp.ones((1 << 20,), dtype=backend.xp.float32) * 3
                made.backend.release_memory()
        runs.append((made, losses))
    assert runs[0][1] == runs[1][1]
    states = [run[0].model.state_dict() for run in runs]
    for key, value in states[0].items():
        np.testing.assert_array_equal(host(value), host(states[1][key]), err_msg=key)
    assert_captured(runs[1][0])


@CUPY
@pytest.mark.parametrize("name", ["lenet5", "mobilenet_v2"])
def test_inference(backend: Library, name: str) -> None:
    shape = (2, 1, 28, 28) if name == "lenet5" else (2, 3, 64, 64)
    model = models.get_model(name, rng=xpconv.random.Stream(0)).to(backend.spec)
    rng = np.random.default_rng(0)
    some = [backend.array(rng.standard_normal(shape), "float32") for _ in range(3)]
    fast = xpconv.capture(model, some[0])
    assert fast.captured
    outputs = [fast(x) for x in some]
    for x, y in zip(some, outputs):
        backend.assert_equal(y, model(x))


@CUPY
def test_memory_is_given_back(backend: Library) -> None:
    """Graphs that are dropped leave nothing allocated."""
    import gc

    place = backend.backend

    def used() -> int:
        gc.collect()
        place.synchronize()
        place.release_memory()
        return int(place.memory_info().used)

    fitted(trainer(True, backend=backend.spec), epochs=2)  # what stays loaded for good
    before = used()
    made = fitted(trainer(True, network(backend.spec), backend=backend.spec), epochs=2)
    assert_captured(made)
    del made
    assert used() <= before + 2**21
