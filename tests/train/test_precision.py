"""Mixed precision: against PyTorch's autocast and scaler, on every layer, in a whole run."""

from __future__ import annotations

import logging
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.nn.cases import CASES
from tests.nn.layers import Case, run
from tests.train.small import assert_same_bits, host_state, images, network
from xpconv import BackendError, _tf32, data, nn, ops, optim, train
from xpconv._tf32 import set_tf32, tf32_allowed
from xpconv.checkpoint import CheckpointError
from xpconv.random import use_stream
from xpconv.train._precision import Precision
from xpconv.train._scaler import LossScaler

HALF = pytest.mark.parametrize("backend", ["torch", "cupy"], indirect=True)
EACH = pytest.mark.parametrize("name", ["fp16", "bf16"])


def trainer(backend: str, precision: str | None, model: nn.Module | None = None, **options: Any):
    return train.Trainer(
        network(backend) if model is None else model,
        backend=backend,
        precision=precision,
        optimizer=options.pop("optimizer", None) or optim.SGD(lr=0.05, momentum=0.9),
        seed=3,
        progress=False,
        **options,
    )


# --- every layer ----------------------------------------------------------------------------------


@HALF
@EACH
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer_computes_in_half(backend: Library, case: Case, name: str) -> None:
    """Activations and their gradients are half, and the state is what and as it was."""
    layer = case.make_seeded().to(backend.spec, "float32")
    before = layer.state_dict()
    precision = Precision(name, layer, backend.backend)
    inputs = [backend.backend.asarray(x, precision.dtype) for x in case.inputs()]
    with precision.weights(layer):
        y, backward = run(layer, *inputs, training=case.training)
        dx, grads = backward(y)
        inferred = layer(*inputs)
    assert y.dtype == inferred.dtype == precision.dtype
    for part in dx if isinstance(dx, tuple) else (dx,):
        assert part.dtype == precision.dtype
    assert set(grads) == set(layer.parameters())
    for key, value in layer.state_dict().items():
        assert value.dtype == before[key].dtype, key
        if key in layer.parameters():
            assert value is before[key], key


# --- the loss scale -------------------------------------------------------------------------------


def test_the_scale_moves_as_pytorchs(torch: Any) -> None:
    from xpconv import get_backend

    place = get_backend("torch")
    settings = {"init_scale": 2.0**125, "growth_interval": 3}
    ours = LossScaler(place, **settings)  # type: ignore[arg-type]
    theirs = torch.amp.GradScaler("cpu", **settings)
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.0)
    theirs.scale(torch.zeros(()))  # it starts when it is first used
    seen = set()
    for bad in [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0]:
        grad = torch.tensor([1.5, np.inf if bad else -3.0], dtype=torch.float32)
        parameter.grad = grad.clone()
        theirs.step(optimizer)
        grads, found_inf = ours.unscale({"a": grad.clone(), "b": torch.ones(1)})
        assert bool(found_inf) is bool(bad)
        if not bad:
            assert torch.equal(grads["a"], parameter.grad)  # unscaled to the same bits
        theirs.update()
        ours.update(found_inf)
        state = theirs.state_dict()
        assert ours.state_dict() == {
            "scale": state["scale"],
            "good_steps": state["_growth_tracker"],
        }
        seen.add(state["scale"])
    assert len(seen) == 4  # it has grown to where float32 ends, and shrunk


def test_default_settings_are_pytorchs(torch: Any) -> None:
    from xpconv import get_backend

    ours, theirs = LossScaler(get_backend("torch")), torch.amp.GradScaler("cpu")
    assert ours.state_dict()["scale"] == theirs.state_dict()["scale"]
    for name in ("growth_factor", "backoff_factor", "growth_interval"):
        assert getattr(ours, name) == theirs.state_dict()[name]


def test_without_gradients_nothing_is_infinite() -> None:
    from xpconv import get_backend

    grads, found_inf = LossScaler(get_backend("numpy")).unscale({})
    assert grads == {}
    assert not found_inf


# --- one step -------------------------------------------------------------------------------------


@HALF
@EACH
def test_gradients_against_double(backend: Library, name: str) -> None:
    """As near to float64's as the half precision has digits, whatever the loss is scaled by."""
    digits = images(16, dtype="float64")
    loss = train.Trainer(network()).loss
    wide = network(dtype="float64", dropout=0.0)
    expected = train.gradients(wide, loss, digits.x, digits.y)
    model = network(dropout=0.0).to(backend.spec)
    x, y = backend.backend.asarray(digits.x, "float32"), backend.backend.asarray(digits.y)
    value, logits, grads, found_inf = Precision(name, model, backend.backend).gradients(
        model, loss, x, y
    )
    roundoff = {"fp16": 2.0**-11, "bf16": 2.0**-8}[name]
    assert float(value) == pytest.approx(float(expected[0]), rel=4 * roundoff)
    backend.assert_close(logits, expected[1].astype("float32"), rtol=4 * roundoff)
    assert list(grads) == list(expected[2])
    scale = max(float(np.max(np.abs(grad))) for grad in expected[2].values())
    for key, grad in grads.items():
        difference = np.max(np.abs(host(grad) - expected[2][key]))
        assert str(grad.dtype).endswith("float32"), key
        assert difference < 16 * roundoff * scale, (key, difference, scale)
    assert (found_inf is None) is (name == "bf16")
    assert found_inf is None or not bool(found_inf)


@HALF
def test_small_gradients_survive(backend: Library) -> None:
    """Far below what float16 can hold, were the loss not scaled."""
    model = nn.Linear(4, 3, bias=False).to(backend.spec)
    weight = np.linspace(0.1, 0.4, 12).reshape(3, 4)  # no sum cancels: each entry can be compared
    model.update({"weight": backend.array(weight, "float32")})
    x = backend.array(np.full((2, 4), 1e-3), "float32")
    y = backend.array(np.zeros((2, 3)), "float32")
    loss = train.Trainer(model, loss="mse_loss").loss

    def tiny(logits: Any, target: Any) -> tuple[Any, Any]:
        value, backward = loss.forward(logits, target)
        return value * 1e-3, lambda: backward() * 1e-3

    scaled = types.SimpleNamespace(forward=tiny)
    exact = train.gradients(model, scaled, x, y)[2]["weight"]
    grads = Precision("fp16", model, backend.backend).gradients(model, scaled, x, y)[2]["weight"]
    assert np.max(np.abs(host(exact))) < 2.0**-25  # float16 rounds this to zero
    np.testing.assert_allclose(host(grads), host(exact), rtol=1e-2)


@EACH
def test_training_follows_autocast(torch: Any, name: str) -> None:
    """PyTorch's recipe, autocast and scaler, on the same network: the same weights, roughly."""
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}[name]
    model = network("torch", dropout=0.0)
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.0),
        torch.nn.Linear(24, 3),
    )
    twin.load_state_dict({key: value.clone() for key, value in model.state_dict().items()})
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", enabled=name == "fp16")
    digits = images()
    for epoch in range(3):
        order = data.shuffled(len(digits), seed=3, epoch=epoch)
        for x, y in data.batches(digits, 8, order):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=half):
                logits = twin(torch.tensor(x))
            loss = torch.nn.functional.cross_entropy(logits.float(), torch.tensor(y))
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
    ours = trainer("torch", name, model, clip_norm=1.0)
    ours.fit(digits, epochs=3, batch_size=8)
    tolerance = {"fp16": 4e-3, "bf16": 3e-2}[name]
    for key, value in twin.state_dict().items():
        actual = host(ours.model.state_dict()[key])
        np.testing.assert_allclose(actual, value.numpy(), rtol=0, atol=tolerance, err_msg=key)
    moved = host_state(network("torch", dropout=0.0))
    change = max(np.max(np.abs(host(v) - moved[k])) for k, v in ours.model.parameters().items())
    assert change > 5 * tolerance  # it has learnt more than that


@HALF
def test_steps_that_overflow_are_skipped(backend: Library) -> None:
    """The weights stay, to the bit, and the scale falls until a step is good."""
    ours = trainer(backend.spec, "fp16", optimizer=optim.Adam(lr=0.01))
    scaler = ours.precision.scaler
    assert scaler is not None
    scaler.load_state_dict({"scale": 2.0**22, "good_steps": 5})
    digits = images(8)
    x, y = backend.array(digits.x), backend.array(digits.y)
    start = host_state(ours.model)
    scales = []
    with use_stream(ours.stream):
        for _ in range(30):
            ours.step(x, y)
            scales.append(scaler.state_dict()["scale"])
            if scales[-1:] == scales[-2:-1]:
                break
            for key in ours.model.parameters():
                np.testing.assert_array_equal(host(ours.model.state_dict()[key]), start[key])
    assert len(scales) > 2
    assert scales == [2.0 ** (21 - i) for i in range(len(scales) - 1)] + scales[-1:]
    assert set(ours.optimizer.state_dict()["steps"].values()) == {1}
    for key in ours.model.parameters():
        assert not np.array_equal(host(ours.model.state_dict()[key]), start[key]), key


@EACH
def test_a_step_never_asks_the_host(torch: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = trainer("torch", name, optimizer=optim.Adam(), clip_norm=1.0)
    digits = images(8)
    x, y = torch.tensor(digits.x), torch.tensor(digits.y)

    def refuse(*_: Any) -> Any:
        raise AssertionError("an array was read on the host")

    with monkeypatch.context() as patch, use_stream(ours.stream), ops.labels_checked():
        for method in ("__bool__", "__float__", "__int__", "__index__", "item", "tolist", "numpy"):
            patch.setattr(torch.Tensor, method, refuse)
        for _ in range(2):
            ours.step(x, y)
    assert set(ours.optimizer.state_dict()["steps"].values()) == {2}


@HALF
@EACH
def test_the_float32_weights_come_back(backend: Library, name: str) -> None:
    """After evaluation, prediction, and what fails in a step."""
    model = network(backend.spec)
    ours = trainer(backend.spec, name, model)
    before = model.parameters()
    digits = images()
    assert ours.predict(digits.x).dtype == np.float32
    ours.evaluate(digits)
    with pytest.raises(ValueError, match="labels must have shape"):
        ours.step(backend.array(digits.x[:3]), backend.array(digits.y[:5]))
    assert all(value is before[key] for key, value in model.parameters().items())
    wide = host(model(backend.array(digits.x)))
    half = ours.predict(digits.x)
    assert not np.array_equal(wide, half)
    np.testing.assert_allclose(half, wide, atol=0.05)


class Heads(nn.Module):
    """A network with two outputs."""

    def __init__(self) -> None:
        self.one, self.other = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        (y, back), (z, other_back) = self.one.forward(x), self.other.forward(x)

        def backward(dy: tuple[Any, Any]) -> tuple[Any, dict[str, Any]]:
            (dx, grads), (other_dx, other_grads) = back(dy[0]), other_back(dy[1])
            named = {f"one.{key}": grad for key, grad in grads.items()}
            return dx + other_dx, named | {f"other.{k}": g for k, g in other_grads.items()}

        return (y, z), backward


@HALF
@EACH
def test_several_outputs(backend: Library, name: str) -> None:
    """Each is float32 for the loss, and each gradient goes back in half precision."""
    model = Heads().to(backend.spec)
    x = backend.array(np.linspace(-1, 1, 8).reshape(2, 4), "float32")

    def loss(outputs: tuple[Any, Any], target: Any) -> tuple[Any, Any]:
        assert [dtype_name(part) for part in outputs] == ["float32"] * 2
        y, z = outputs  # a small share of their product, which fits into float16 when scaled
        return (y * z).sum() / 64, lambda: (z / 64, y / 64)

    both = types.SimpleNamespace(forward=loss)
    exact = train.gradients(model, both, x, x)
    value, outputs, grads, _ = Precision(name, model, backend.backend).gradients(model, both, x, x)
    assert float(value) == pytest.approx(float(exact[0]), rel=0.05, abs=0.02 / 64)
    assert len(outputs) == 2
    for key, grad in exact[2].items():
        np.testing.assert_allclose(host(grads[key]), host(grad), rtol=0.05, atol=0.02 / 64)
        assert dtype_name(grads[key]) == "float32"


# --- a whole run ----------------------------------------------------------------------------------


class StopAt(train.Callback):
    """Save and give up after a step."""

    def __init__(self, path: Path, step: int) -> None:
        self.path, self.step = path, step

    def on_batch_end(self, trainer: Any) -> None:
        if trainer.run.step == self.step:
            trainer.save(self.path)
            raise RuntimeError("given up")


@HALF
@EACH
def test_resuming_is_exact(backend: Library, name: str, tmp_path: Path) -> None:
    """The scale, its count and the skipped steps included."""
    pytest.importorskip("safetensors")

    def fresh(**options: Any) -> train.Trainer:
        ours = trainer(backend.spec, name, optimizer=optim.Adam(lr=0.01), **options)
        if ours.precision.scaler is not None:  # so high that the first steps are skipped
            ours.precision.scaler.load_state_dict({"scale": 2.0**19, "good_steps": 1998})
        return ours

    whole, path = fresh(), tmp_path / "run.safetensors"
    whole.fit(images(), epochs=4, batch_size=8)
    with pytest.raises(RuntimeError, match="given up"):
        fresh(callbacks=[StopAt(path, 6)]).fit(images(), epochs=4, batch_size=8)
    resumed = trainer(backend.spec, name, optimizer=optim.Adam())
    resumed.fit(images(), epochs=4, batch_size=8, resume=path)
    assert_same_bits(host_state(whole.model), host_state(resumed.model))
    assert whole.precision.state_dict() == resumed.precision.state_dict()
    steps = whole.optimizer.state_dict()["steps"]
    assert steps == resumed.optimizer.state_dict()["steps"]
    assert set(steps.values()) == {16} if name == "bf16" else max(steps.values()) < 16
    assert whole.history["loss"] == resumed.history["loss"]
    with pytest.raises(CheckpointError, match=f"has precision '{name}', the trainer None"):
        trainer(backend.spec, None, optimizer=optim.Adam()).fit(images(), epochs=4, resume=path)


@pytest.mark.parametrize("backend", ["numpy", "strict"], indirect=True)
@pytest.mark.parametrize("name", ["fp32", "tf32", "fp16", "bf16"])
def test_the_cpu_computes_in_float32_and_says_so(
    backend: Library, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain = trainer(backend.spec, None)
    with caplog.at_level(logging.WARNING, "xpconv"):
        ours = trainer(backend.spec, name)
    said = [record.getMessage() for record in caplog.records]
    library = backend.backend.name
    where = "the CPU" if library == "numpy" else backend.spec
    words = f"precision {name!r} is for GPUs: {library} on {where} computes in float32"
    assert said == ([] if name == "fp32" else [words])
    assert (ours.precision.asked, ours.precision.name) == (name, "fp32")
    for one in (plain, ours):
        one.fit(images(), epochs=2, batch_size=8)
    assert_same_bits(host_state(plain.model), host_state(ours.model))


def test_a_run_begun_in_half_goes_on_in_float32(torch: Any, tmp_path: Path) -> None:
    """The file of a GPU's run, on a laptop: the same script."""
    pytest.importorskip("safetensors")
    path = tmp_path / "run.safetensors"
    with pytest.raises(RuntimeError, match="given up"):
        trainer("torch", "fp16", callbacks=[StopAt(path, 2)]).fit(images(), epochs=2, batch_size=8)
    ours = trainer("numpy", "fp16")
    ours.fit(images(), epochs=2, batch_size=8, resume=path)
    assert ours.run.over


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"unknown precision 'half'; there are 'fp32', 'tf32'"):
        trainer("numpy", "half")
    model = network(dtype="float64")
    with pytest.raises(ValueError, match=r"keeps float32 parameters, but 0\.weight is float64"):
        trainer("numpy", "fp32", model)


def test_layers_inside_one_another_keep_their_float32(torch: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LayerNorm(4)).to("torch")
    assert list(model.half_parameters()) == ["0.weight", "0.bias"]


# --- TF32 -----------------------------------------------------------------------------------------


@pytest.fixture
def cupy_stand_in(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """What of CuPy decides about TF32: the variable is read when first asked for, then no more."""
    linalg = types.SimpleNamespace(COMPUTE_TYPE_TF32=5, decided=None)

    def get_compute_type(dtype: np.dtype) -> int:
        assert dtype == np.float32
        if linalg.decided is None:
            linalg.decided = 5 if int(os.environ.get("CUPY_TF32", "0")) > 0 else 1
        return linalg.decided

    linalg.get_compute_type = get_compute_type
    monkeypatch.setitem(sys.modules, "cupy._core._routines_linalg", linalg)  # type: ignore[arg-type]
    for package in ("cupy", "cupy._core"):
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    monkeypatch.setenv("CUPY_TF32", "unset")
    monkeypatch.delenv("CUPY_TF32")
    return linalg


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_set_where_it_can_still_be_set(
    cupy_stand_in: types.SimpleNamespace, allowed: bool
) -> None:
    set_tf32(allowed)
    set_tf32(allowed)
    assert cupy_stand_in.decided == (5 if allowed else 1)


@pytest.mark.parametrize(("allowed", "word"), [(True, "allow"), (False, "forbid")])
def test_tf32_is_refused_where_it_is_too_late(
    cupy_stand_in: types.SimpleNamespace, allowed: bool, word: str
) -> None:
    cupy_stand_in.decided = 1 if allowed else 5  # something was computed before
    with pytest.raises(BackendError, match=f"too late to {word} TF32.*CUPY_TF32={int(allowed)}"):
        set_tf32(allowed)
    assert "CUPY_TF32" not in os.environ
    set_tf32(not allowed)
    with pytest.raises(BackendError, match=f"={int(not allowed)} is set.*to {word} TF32"):
        set_tf32(allowed)
    assert os.environ["CUPY_TF32"] == str(int(not allowed))  # what is in force


@pytest.mark.parametrize(("name", "decided"), [("tf32", 5), ("fp32", 1)])
def test_a_trainer_decides_about_tf32(
    cupy_stand_in: types.SimpleNamespace, name: str, decided: int
) -> None:
    place: Any = types.SimpleNamespace(name="cupy")
    assert Precision(name, network(), place).name == name
    assert cupy_stand_in.decided == decided


@pytest.mark.parametrize(("name", "allowed"), [("fp32", False), ("tf32", True), ("bf16", True)])
def test_a_trainer_s_products_are_its_own_affair(
    cupy_stand_in: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, name: str, allowed: bool
) -> None:
    """Where products ask for each call, nothing is settled for the process, and never too late."""
    monkeypatch.setattr("xpconv.train._precision.own_products", lambda library: library == "cupy")
    monkeypatch.setenv("CUPY_TF32", str(int(not allowed)))
    cupy_stand_in.decided = 1 if allowed else 5
    place: Any = types.SimpleNamespace(name="cupy", asarray=lambda x, dtype: np.asarray(x, "f2"))
    precision = Precision(name, network(), place)
    assert precision.name == name
    assert tf32_allowed() is not allowed
    with precision.products():
        assert tf32_allowed() is allowed
    assert tf32_allowed() is not allowed
    assert os.environ["CUPY_TF32"] == str(int(not allowed))


def test_without_a_precision_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    place: Any = types.SimpleNamespace(name="cupy")
    for value in ("0", "1"):
        monkeypatch.setenv("CUPY_TF32", value)
        with Precision(None, network(), place).products():
            assert tf32_allowed() is (value == "1")


@pytest.mark.parametrize(("name", "allowed"), [(None, None), ("fp32", False), ("tf32", False)])
def test_a_step_is_made_as_was_asked(name: str | None, allowed: bool | None) -> None:
    """On the CPU TF32 is computed as float32, and says so; the block around a step shows it."""
    seen = set()

    class Looks(train.Callback):
        def on_batch_end(self, run: Any) -> None:
            seen.add(_tf32._ALLOWED.get())

    trainer("numpy", name, callbacks=[Looks()]).fit(images(), epochs=1, batch_size=8)
    assert seen == {allowed}


def test_half_precision_does_without_tf32(
    cupy_stand_in: types.SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    from xpconv.train._precision import _settle_tf32

    cupy_stand_in.get_compute_type(np.dtype("float32"))  # something was computed before
    with caplog.at_level(logging.WARNING, "xpconv"):
        _settle_tf32("bf16")
    assert "precision 'bf16' multiplies in float32: it is too late" in caplog.text
    with pytest.raises(BackendError):
        _settle_tf32("tf32")
    _settle_tf32("fp32")
