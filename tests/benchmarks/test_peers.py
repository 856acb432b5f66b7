"""The loops that stand for the blog post, and a worker process around them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks._cases import (
    INFERENCE,
    STEP,
    LayerCase,
    TrainingCase,
    from_json,
    layer_cases,
    to_json,
)
from benchmarks._fingerprint import difference, fingerprint
from benchmarks._peers import Unsupported, load
from benchmarks._process import CannotRun, PeerSpec, Worker, WorkerError
from tests import reference

scipy_loops = pytest.importorskip("benchmarks._peers._scipy")

CASE = LayerCase("small", "other", 2, 3, 6, 3, padding=1, mode="forward+backward")
SPEC = PeerSpec("scipy", "SciPy loops", {"library": "scipy", "seconds": 1.0}, one_image=True)


def test_scipy_loops_are_the_layer_and_its_three_derivatives(rng: np.random.Generator) -> None:
    x, weight = rng.standard_normal((2, 7, 6)), rng.standard_normal((3, 2, 3, 2))
    bias, dy = rng.standard_normal(3), rng.standard_normal((3, 5, 5))
    np.testing.assert_allclose(
        scipy_loops.forward(x, weight, bias), reference.conv_layer(x, weight, bias)
    )
    expected = reference.conv_layer_gradients(x, weight, dy)
    for ours, theirs in zip(scipy_loops.backward(x, weight, dy), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_a_case_survives_its_way_to_a_worker() -> None:
    for case in layer_cases(None, [2], ["forward"], "float32"):
        assert from_json(json.loads(json.dumps(to_json(case)))) == case
        assert case.out_size >= 1


def test_a_batch_begins_with_the_one_image_of_the_scaled_loops() -> None:
    four = LayerCase("small", "other", 2, 3, 6, 3, batch=4).data()
    one = LayerCase("small", "other", 2, 3, 6, 3).data()
    np.testing.assert_array_equal(four["x"][:1], one["x"])
    np.testing.assert_array_equal(four["weight"], one["weight"])


def test_fingerprints_tell_results_apart(rng: np.random.Generator) -> None:
    x = rng.standard_normal((50, 60))
    assert difference(fingerprint(x), fingerprint(np.asfortranarray(x))) < 1e-12
    assert difference(fingerprint(x), fingerprint(x * 1.01)) > 5e-3
    assert difference(fingerprint(x), fingerprint(x.T)) == np.inf
    assert difference(fingerprint(x), fingerprint(np.full_like(x, np.nan))) == np.inf


LAYERS = [
    LayerCase("plain", "other", 4, 6, 7, 3, padding=1, batch=2),
    LayerCase("odd", "other", 4, 6, 9, 3, stride=2, padding=1, dilation=2, groups=2, batch=3),
]


def by_definition(case: LayerCase) -> dict[str, np.ndarray]:
    data = {name: value.astype("float64") for name, value in case.data().items()}
    options = {
        "stride": (case.stride,) * 2,
        "pairs": ((case.padding,) * 2,) * 2,
        "dilation": (case.dilation,) * 2,
        "groups": case.groups,
    }
    x, weight, dy = data["x"], data["weight"], data["dy"]
    dx, dweight, dbias = reference.conv_gradients(x, weight, dy, **options)
    y = reference.conv(x, weight, data["bias"], **options)
    return {"y": y, "dx": dx, "dweight": dweight, "dbias": dbias}


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
@pytest.mark.parametrize("library", ["im2col", "jax", "torch", "xpconv"])
def test_every_library_computes_the_layer(library: str, case: LayerCase) -> None:
    pytest.importorskip("numpy" if library == "im2col" else library)
    job = load({"library": library, "threads": 1}).layer(replace(case, mode="forward+backward"))
    expected, found = by_definition(case), job.outputs()
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=2e-4)
    forward = load({"library": library, "threads": 1}).layer(case).outputs()
    np.testing.assert_allclose(forward["y"], expected["y"], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("way", ["plain", "fuse", "compile"])
def test_every_way_of_inference_is_pytorchs(torch: Any, way: str) -> None:
    for model in ("mobilenet_v2", "resnet18"):
        case = TrainingCase("small", "imagenet", model, 2, 3, 64, classes=5, pool=1, mode=INFERENCE)
        theirs = load({"library": "torch", "threads": 1}).training(case).outputs()["y"]
        ours = load({"library": "xpconv", "threads": 1, "inference": way}).training(case)
        assert difference(fingerprint(theirs), fingerprint(ours.outputs()["y"])) < 1e-3
        assert np.std(theirs) > 0.1
        if way != "plain":
            with pytest.raises(Unsupported, match="for inference"):
                load({"library": "xpconv", "inference": way}).training(replace(case, mode=STEP))


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        ("lenet5", STEP),
        ("small_vgg", INFERENCE),
        ("resnet18_cifar", STEP),
        ("resnet18_cifar", INFERENCE),
        ("mobilenet_v2", INFERENCE),
    ],
)
def test_jax_has_twins_of_the_networks(torch: Any, model: str, mode: str) -> None:
    pytest.importorskip("jax")
    channels, size = (1, 28) if model == "lenet5" else (3, 32)
    case = TrainingCase("small", "small", model, 4, channels, size, classes=5, pool=2, mode=mode)
    theirs, ours = (
        load({"library": library, "threads": 1}).training(case).outputs()
        for library in ("torch", "jax")
    )
    assert list(theirs) == list(ours)
    for name, value in theirs.items():
        assert difference(fingerprint(value), fingerprint(ours[name])) < 1e-3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_a_library_that_takes_all_cores_is_held_to_some() -> None:
    config = {"library": "im2col", "pin": True}
    with Worker(PeerSpec("im2col", "NumPy", config), threads=1) as worker:
        worker.ask("describe")
        assert len(os.sched_getaffinity(worker._process.pid)) == 1


def test_a_column_has_an_environment_of_its_own() -> None:
    spec = PeerSpec("x", "xpconv", {"library": "xpconv"}, environment={"XPCONV_NUMBA": "0"})
    with Worker(spec, threads=1) as worker:
        assert worker.ask("describe")["Numba"] == "XPCONV_NUMBA=0 turns Numba off"


@pytest.mark.parametrize("library", ["im2col", "jax"])
def test_slow_libraries_leave_large_batches_out(library: str) -> None:
    pytest.importorskip("numpy" if library == "im2col" else library)
    peer = load({"library": library, "threads": 1, "most": 1})
    with pytest.raises(Unsupported, match="more than 1 images"):
        peer.layer(LAYERS[0])


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(SPEC, threads=1) as worker:
        yield worker


def test_times_and_checks_a_case(worker: Worker) -> None:
    assert "scipy" in worker.ask("describe")
    worker.prepare(CASE)
    outputs = worker.ask("check")
    assert {name: print_["shape"] for name, print_ in outputs.items()} == {
        "y": [1, 3, 6, 6],
        "dx": [1, 2, 6, 6],
        "dweight": [3, 2, 3, 3],
        "dbias": [3],
    }
    times = worker.ask("time", seconds=0.001)
    assert times
    assert min(times) > 0
    assert worker.ask("memory")["traced"] > 0


def test_says_why_it_cannot_run_a_case_and_lives_on(worker: Worker) -> None:
    with pytest.raises(CannotRun, match="one image"):
        worker.prepare(LayerCase("small", "other", 2, 3, 6, 3, batch=2))
    with pytest.raises(WorkerError, match="unknown request 'dance'"):
        worker.ask("dance")
    assert worker.ask("describe")


def test_a_dead_worker_is_an_error_not_a_wait() -> None:
    with Worker(PeerSpec("x", "Nobody", {"library": "scipy"}), threads=1) as worker:
        worker._process.kill()
        with pytest.raises(WorkerError, match="Nobody: its process ended"):
            worker.ask("describe")


def test_nothing_that_was_kept_hides_what_a_case_needs() -> None:
    """Its peak is of all that it allocates, though the same case has run before."""
    case = LayerCase("some", "other", 16, 16, 32, 3, batch=8, padding=1, mode="forward")
    spec = PeerSpec("xpconv", "xpconv", {"library": "xpconv"})
    with Worker(spec, threads=1, exact_memory=True) as worker:
        first = worker.measure_memory(case)
        again = worker.measure_memory(case)
    assert first["traced"] >= 8 * 16 * 32 * 32 * 4
    assert again["traced"] >= 8 * 16 * 32 * 32 * 4
