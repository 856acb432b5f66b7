"""Captured steps have the bits of plain ones: on a recorder of PyTorch's CPU in CUDA's place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends import host
from tests.train.captured import EPOCHS, OPTIMIZERS, assert_alike, fitted, trainer
from tests.train.small import assert_same_bits, host_state, images, network
from xpconv import nn, ops, optim, schedule, train
from xpconv.random import Stream, use_stream

torch = pytest.importorskip("torch")

from tests.train.recorder import TorchRecorder, TorchRecording  # noqa: E402
from xpconv import _graphs  # noqa: E402
from xpconv.train._captured import CapturedSteps  # noqa: E402


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_graphs.RECORDERS, "torch", TorchRecorder)


def recordings(made: train.Trainer) -> list[TorchRecording]:
    recorder = made.cuda_graphs._recorder
    assert isinstance(recorder, TorchRecorder)
    return recorder.recordings


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, None) for name in OPTIMIZERS),
        *((name, "fp16") for name in ("nesterov", "dampening", "adam", "adamw")),
        ("adam", "bf16"),
    ],
)
def test_same_bits(name: str, precision: str | None) -> None:
    runs = [
        fitted(trainer(graphs, optimizer=OPTIMIZERS[name](), precision=precision, clip_norm=1.0))
        for graphs in (False, True)
    ]
    assert_alike(*runs)
    assert runs[1].cuda_graphs.refusal is None
    # Plain: the first step of all, and the first with each of the two sizes after it.
    assert [r.replays for r in recordings(runs[1])] == [4 * EPOCHS - 2, EPOCHS - 1]


def test_skipped_steps_have_the_same_bits() -> None:
    runs = []
    for graphs in (False, True):
        made = trainer(graphs, precision="fp16")
        made.precision.scaler.scale = made.backend.asarray(2.0**26, "float32")
        runs.append(fitted(made))
    assert_alike(*runs)
    steps = runs[1].optimizer.state_dict()["steps"]
    assert 2 < max(steps.values()) < runs[1].run.step - 3  # some were skipped while captured
    assert runs[1].cuda_graphs.refusal is None


def test_many_parameters_are_joined_without_their_addresses() -> None:
    """The recorder refuses to join more than eight arrays, as CuPy does."""
    layers = [layer for _ in range(6) for layer in (nn.Linear(36, 36), nn.ReLU())]
    build = lambda: nn.Sequential(nn.Flatten(), *layers, nn.Linear(36, 3))  # noqa: E731
    one, other = (fitted(trainer(graphs, build(), precision="fp16")) for graphs in (False, True))
    assert other.cuda_graphs.refusal is None
    assert len(one.model.parameters()) > 8


@pytest.mark.parametrize("graphs", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("precision", [None, "fp16"])
def test_a_run_that_is_cut_and_resumed(
    graphs: tuple[bool, bool], precision: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    whole = fitted(trainer(False, precision=precision, callbacks=[train.Checkpoint(path)]))

    class Stop(train.Callback):
        late = True

        def on_batch_end(self, trainer: train.Trainer) -> None:
            if trainer.run.step == 9:
                raise KeyboardInterrupt

    first = trainer(
        graphs[0],
        precision=precision,
        callbacks=[train.Checkpoint(path, every_steps=4), Stop()],
    )
    with pytest.raises(KeyboardInterrupt):
        fitted(first)
    rest = fitted(
        trainer(graphs[1], precision=precision, callbacks=[train.Checkpoint(path)]), resume=path
    )
    assert_alike(whole, rest)


class Watcher(train.Callback):
    """Looks at everything after each batch, and holds on to it."""

    def __init__(self) -> None:
        self.held: list[dict[str, Any]] = []
        self.seen: list[dict[str, np.ndarray]] = []

    def on_batch_end(self, trainer: train.Trainer) -> None:
        state = {**trainer.model.state_dict(), "loss": trainer.last_loss}
        for name, slots in trainer.optimizer.state_dict()["slots"].items():
            state |= {f"{key} of {name}": array for key, array in slots.items()}
        self.held.append(state)
        self.seen.append({name: np.array(host(array)) for name, array in state.items()})


def test_callbacks_see_every_step_and_what_they_hold_never_changes() -> None:
    plain, captured = Watcher(), Watcher()
    fitted(trainer(False, callbacks=[plain]))
    fitted(trainer(True, callbacks=[captured]))
    assert len(captured.held) == 5 * EPOCHS
    for held, seen, expected in zip(captured.held, captured.seen, plain.seen):
        assert_same_bits(expected, seen)
        assert_same_bits(expected, {name: host(array) for name, array in held.items()})


def test_what_is_held_of_an_epoch_never_changes() -> None:
    class Keep(train.Callback):
        def __init__(self) -> None:
            self.held: list[tuple[Any, Any]] = []

        def on_epoch_end(self, trainer: train.Trainer) -> None:
            self.held.append((trainer.model.state_dict(), host_state(trainer.model)))

    keep = Keep()
    made = fitted(trainer(True, callbacks=[keep]))
    assert made.cuda_graphs.refusal is None
    for state, copied in keep.held:
        assert_same_bits(copied, {name: host(array) for name, array in state.items()})


def change_weights_in_place(made: train.Trainer) -> None:
    made.model[0].weight.mul_(0.5)


def load_weights(made: train.Trainer) -> None:
    made.model.load_state_dict(network(seed=3).state_dict())


def change_an_option(made: train.Trainer) -> None:
    made.model[6].p = 0.5


def change_the_rate(made: train.Trainer) -> None:
    made.optimizer.lr *= 0.5


def change_the_optimizer(made: train.Trainer) -> None:
    made.optimizer.betas = (0.8, 0.9)  # type: ignore[attr-defined]


def forget_the_state(made: train.Trainer) -> None:
    made.optimizer.load_state_dict(optim.Adam(0.02).state_dict())


def change_the_clipping(made: train.Trainer) -> None:
    made.clip_norm = 0.01


def replace_a_layer(made: train.Trainer) -> None:
    made.model._layers["2"] = nn.Tanh()  # type: ignore[attr-defined]


CHANGES = {
    change_weights_in_place: 0,  # and how many more recordings each takes
    load_weights: 0,
    change_the_rate: 0,
    change_an_option: 1,
    change_the_optimizer: 1,
    forget_the_state: 1,
    change_the_clipping: 1,
    replace_a_layer: 1,
}


@pytest.mark.parametrize("when", ["on_epoch_end", "on_batch_end"])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_between_steps_count(change: Callable[..., None], when: str) -> None:
    """Whatever a callback does, the next step is as without graphs."""

    class Changes(train.Callback):
        done = False

        def act(self, made: train.Trainer) -> None:
            if not self.done and made.run.step >= 6:
                self.done = True
                change(made)

    setattr(Changes, when, Changes.act)
    runs = [fitted(trainer(graphs, callbacks=[Changes()])) for graphs in (False, True)]
    assert_alike(*runs)
    assert runs[1].cuda_graphs.refusal is None
    full = [r for r in recordings(runs[1]) if r.replays]
    assert len(full) >= 2 + CHANGES[change]


# --- what cannot be captured ----------------------------------------------------------------------


class Asks(nn.Module):
    """Decides by a value on the device."""

    def forward(self, x: Any, training: bool = False) -> Any:
        factor = 2.0 if float(ops.avg_pool2d(x, 6).sum()) > 0 else 3.0
        return x * factor, lambda dy: (dy * factor, {})


class Counts(nn.Module):
    """Has a state that is no array."""

    def __init__(self) -> None:
        self._calls = 0

    def forward(self, x: Any, training: bool = False) -> Any:
        self._calls += training
        factor = 1 + 1 / (1 + self._calls)
        return x * factor, lambda dy: (dy * factor, {})


class Sends(nn.Module):
    """Copies a number from the host."""

    def forward(self, x: Any, training: bool = False) -> Any:
        factor = torch.tensor(1.5)
        return x * factor, lambda dy: (dy * factor, {})


class Draws(nn.Module):
    """Draws random numbers on the host."""

    def forward(self, x: Any, training: bool = False) -> Any:
        from xpconv.random import current_stream

        factor = 1 + float(current_stream().generator.uniform()) if training else 1.0
        return x * factor, lambda dy: (dy * factor, {})


WORDS = {
    Asks: "D2H transfers are disallowed",
    Sends: "H2D transfers are disallowed",
    Counts: "a layer keeps something of a step that is not its state",
    Draws: "it draws random numbers on the host",
}


@pytest.mark.parametrize("layer", WORDS)
def test_models_that_cannot_be_captured(
    layer: type[nn.Module], caplog: pytest.LogCaptureFixture
) -> None:
    runs = []
    for graphs in (False, True):
        network_ = network("torch")
        runs.append(fitted(trainer(graphs, nn.Sequential(layer(), *network_))))
    assert_alike(*runs)
    assert WORDS[layer] in str(runs[1].cuda_graphs.refusal)
    said = [r.getMessage() for r in caplog.records if "cuda_graphs" in r.getMessage()]
    assert said == [
        f"cuda_graphs: steps are taken one by one, because {runs[1].cuda_graphs.refusal}"
    ]


class Signs(optim.SGD):
    """A rule of the user's own, by arithmetic alone."""

    def update(self, parameter, gradient, slots, step, lr):  # type: ignore[no-untyped-def]
        return parameter - lr / step**0.5 * (gradient / (abs(gradient) + 1e-8)), {}


class Rooted(optim.SGD):
    """One that needs a Python number."""

    def update(self, parameter, gradient, slots, step, lr):  # type: ignore[no-untyped-def]
        return parameter - math.sqrt(lr) * 0.01 * gradient, {}


class Warm(optim.SGD):
    """One that decides by a number."""

    def update(self, parameter, gradient, slots, step, lr):  # type: ignore[no-untyped-def]
        return parameter - (lr if step > 3 else 0.1 * lr) * gradient, {}


@pytest.mark.parametrize(("kind", "captured"), [(Signs, True), (Rooted, False), (Warm, False)])
def test_optimisers_of_ones_own(kind: type[optim.SGD], captured: bool) -> None:
    runs = [fitted(trainer(graphs, optimizer=kind(0.05))) for graphs in (False, True)]
    assert_alike(*runs)
    refusal = runs[1].cuda_graphs.refusal
    assert (refusal is None) is captured
    if not captured:
        assert "it decides by a number that changes from step to step" in str(refusal)


def test_errors_of_the_step_itself_are_raised() -> None:
    made = trainer(True, schedule=schedule.LambdaLR(lambda time: 1.0 if time < 2 else -1.0))
    with pytest.raises(ValueError, match="Invalid learning rate"):
        fitted(made)
    assert made.cuda_graphs.refusal is None


def test_while_layers_are_observed_steps_are_plain() -> None:
    seen: list[Any] = []
    with nn.observe(lambda *report: seen.append(report)):
        made = fitted(trainer(True), epochs=1)
    assert len(seen) >= 5 * len(list(made.model.named_modules()))
    assert recordings(made) == []
    assert made.cuda_graphs.refusal is None


def test_a_backend_without_graphs_says_so(caplog: pytest.LogCaptureFixture) -> None:
    made = train.Trainer(network(), cuda_graphs=True, progress=False)
    assert made.cuda_graphs.asked
    assert caplog.messages == [
        "cuda_graphs: steps are taken one by one, because numpy on the CPU has no CUDA graphs"
    ]
    plain = train.Trainer(network(), progress=False)
    for each in (made, plain):
        each.fit(images(), epochs=1, batch_size=8)
    assert_same_bits(host_state(plain.model), host_state(made.model))
    assert repr(plain.cuda_graphs) == (
        "CapturedSteps(asked=False, refusal='cuda_graphs=True was not given')"
    )


# --- the stand-in notices -------------------------------------------------------------------------


def _baked_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    step = train.Trainer.step
    monkeypatch.setattr(
        train.Trainer, "step", lambda self, x, y, lr=None: step(self, x, y, self.lr)
    )


def _baked_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from xpconv.train._late_stream import LateStream

    monkeypatch.setattr(LateStream, "next_key", lambda self: self._stream.next_key())


def _baked_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from xpconv.optim._counts import LateCounts

    count = LateCounts.count
    monkeypatch.setattr(LateCounts, "count", lambda self, name: count(self, name).value())


def _no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    from xpconv.train._closed import ClosedState

    monkeypatch.setattr(ClosedState, "commit", ClosedState.restore)


def _no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    from xpconv.train._captured import _Graph

    monkeypatch.setattr(_Graph, "fill", lambda self, x, y: None)


def _no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from xpconv._late import Table

    monkeypatch.setattr(Table, "write", lambda self: None)


@pytest.mark.parametrize(
    "mistake", [_baked_rate, _baked_keys, _baked_counts, _no_commit, _no_batch, _no_numbers]
)
def test_mistakes_are_noticed(
    mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fitted(trainer(False))
    mistake(monkeypatch)
    made = fitted(trainer(True))
    assert any(r.replays for r in recordings(made))
    assert not np.array_equal(host(plain.model[0].weight), host(made.model[0].weight))


# --- loops of one's own ---------------------------------------------------------------------------


def batches(count: int = 9) -> Iterator[tuple[Any, Any]]:
    for seed in range(count):
        data = images(5 if seed % 3 else 4, seed)
        yield torch.asarray(data.x), torch.asarray(data.y)


@pytest.mark.parametrize("mixed", [False, True])
def test_loops_of_ones_own(mixed: bool) -> None:
    one, other = trainer(False), trainer(True)
    expected = []
    with use_stream(one.stream):
        for x, y in batches():
            loss, logits = one.step(x, y)
            expected.append((float(loss), host(logits)))
    with other.captured_steps() as step:
        for number, (x, y) in enumerate(batches()):
            # A plain step between the others counts as well.
            loss, logits = other.step(x, y) if mixed and number == 6 else step(x, y)
            assert float(loss) == expected[number][0]
            np.testing.assert_array_equal(host(logits), expected[number][1])
    assert_same_bits(host_state(one.model), host_state(other.model))
    assert one.optimizer.state_dict()["steps"] == other.optimizer.state_dict()["steps"]
    held = other.model.state_dict()
    before = {name: np.array(host(array)) for name, array in held.items()}
    with other.captured_steps() as step:
        for x, y in batches():
            step(x, y)
    assert_same_bits(before, {name: host(array) for name, array in held.items()})
    assert sum(r.replays for r in recordings(other)) > 6


def test_a_second_run_uses_the_same_graphs() -> None:
    runs = [fitted(fitted(trainer(graphs))) for graphs in (False, True)]
    assert_alike(*runs)
    assert len(recordings(runs[1])) == 2


def test_graphs_belong_to_engines_and_workspaces() -> None:
    import xpconv

    made = fitted(trainer(True))
    with xpconv.engine("im2col"), xpconv.conv_workspace("1MB"):
        fitted(made)
    assert len(recordings(made)) == 4


def test_types() -> None:
    assert isinstance(trainer(True).cuda_graphs, CapturedSteps)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "resampling, whose taps the host sends": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "channels that are dropped": lambda: nn.FeatureAlphaDropout(0.3),
    "samples that are dropped": lambda: nn.StochasticDepth(0.3, "row"),
    "random slopes": nn.RReLU,
    "a constant": lambda: nn.Threshold(0.1, 0.2),
    "buffers that a step turns": lambda: nn.spectral_norm(nn.Conv2d(1, 1, 3)),
    "a weight that is computed": lambda: nn.weight_norm(nn.Conv2d(1, 1, 3)),
    "an average of all batches": lambda: nn.BatchNorm2d(1, momentum=None),
}


@pytest.mark.parametrize("what", LAYERS)
def test_layers_that_need_care(what: str) -> None:
    runs = []
    for graphs in (False, True):
        with use_stream(Stream(0)):
            model = nn.Sequential(LAYERS[what](), nn.GlobalAvgPool(), nn.Flatten(), nn.Linear(1, 3))
        made = trainer(graphs, model)
        with made.captured_steps() as step:
            losses = [float(step(*next(batches()))[0]) for _ in range(6)]
        runs.append((losses, host_state(made.model)))
        assert (made.cuda_graphs.refusal is None) is graphs
    assert runs[0][0] == runs[1][0]
    assert_same_bits(runs[0][1], runs[1][1])


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "multi_margin_loss"])
def test_losses_that_look_at_what_the_model_puts_out(loss: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.Sigmoid())
    made = trainer(True, model, loss=loss)
    x, labels = next(batches())
    y = torch.full((4, 3), 0.5) if loss == "binary_cross_entropy" else labels
    with made.captured_steps() as step:
        for _ in range(4):
            step(x, y)
    assert "D2H transfers are disallowed" in str(made.cuda_graphs.refusal)
