"""The training loop: what it computes, what it refuses, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.backends import host
from tests.train.small import assert_same_bits, host_state, images, network
from xpconv import nn, ops, optim, schedule, train
from xpconv.random import Stream, use_stream

# --- what it computes -----------------------------------------------------------------------------


def by_hand(epochs: int, batch_size: int, clip: float | None = None) -> tuple[Any, list[float]]:
    """Train the small network without a `Trainer`; also return each epoch's mean loss."""
    model, digits = network(), images()
    optimizer = optim.SGD(lr=0.1, momentum=0.9)
    losses = []
    with use_stream(Stream(3)):
        for epoch in range(epochs):
            order = np.random.default_rng([3, epoch]).permutation(len(digits))
            total = 0.0
            for begin in range(0, len(order), batch_size):
                which = order[begin : begin + batch_size]
                logits, backward = model.forward(digits.x[which], training=True)
                loss, dloss = ops.vjp(ops.cross_entropy, logits, digits.y[which])
                _, grads = backward(dloss(np.ones_like(loss))[0])
                if clip is not None:
                    grads, _ = optim.clip_grad_norm(grads, clip)
                optimizer.step(model, grads)
                total += float(loss) * len(which)
            losses.append(total / len(order))
    return model, losses


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("batch_size", [8, 26, 100])
def test_fit_is_the_loop_by_hand(batch_size: int, clip: float | None) -> None:
    expected, losses = by_hand(3, batch_size, clip)
    model = network()
    trainer = train.Trainer(
        model, optimizer=optim.SGD(lr=0.1, momentum=0.9), clip_norm=clip, seed=3, progress=False
    )
    history = trainer.fit(images(), epochs=3, batch_size=batch_size)
    assert_same_bits(host_state(expected), host_state(model))
    assert history["loss"] == pytest.approx(losses, rel=1e-6)


def test_training_learns() -> None:
    trainer = train.Trainer(
        network(dropout=0.0), optimizer=optim.Adam(lr=0.01), progress=False, seed=1
    )
    trainer.fit(images(300), epochs=12, batch_size=32)
    assert trainer.evaluate(images(200, seed=8))["accuracy"] > 0.9


def test_history(backend: Any) -> None:
    trainer = train.Trainer(
        network(),
        backend=backend.spec,
        optimizer=optim.SGD(lr=0.1),
        schedule=schedule.StepLR(1, gamma=0.5),
        progress=False,
    )
    history = trainer.fit(images(10), images(7, seed=1), epochs=3, batch_size=4)
    assert history is trainer.history
    assert history["epoch"] == [1, 2, 3]
    assert history["lr"] == pytest.approx([0.1, 0.05, 0.025])
    assert list(history.rows[0]) == [
        *("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds")
    ]
    assert all(seconds > 0 for seconds in history["seconds"])
    assert json.loads(json.dumps(history.rows)) == history.rows
    final = trainer.evaluate(images(7, seed=1))
    assert history.rows[-1]["val_loss"] == pytest.approx(final["loss"])
    assert history.rows[-1]["val_accuracy"] == final["accuracy"]


def test_evaluate_is_a_mean_over_samples() -> None:
    model, few = network(), images(5)
    trainer = train.Trainer(model, progress=False)
    before = host_state(model)
    logits = model(few.x)
    expected = float(ops.cross_entropy(logits, few.y))
    for batch_size in (1, 2, 5, 99):
        result = trainer.evaluate((few.x, few.y), batch_size=batch_size)
        assert result["loss"] == pytest.approx(expected, rel=1e-6)
        assert result["accuracy"] == pytest.approx(np.mean(np.argmax(logits, axis=1) == few.y))
    assert_same_bits(before, host_state(model))


def test_predict(backend: Any) -> None:
    model = network()
    few = images(5)
    expected = model(few.x)
    trainer = train.Trainer(model, backend=backend.spec, progress=False)
    outputs = trainer.predict(few.x, batch_size=2)
    assert isinstance(outputs, np.ndarray)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(trainer.predict(backend.array(few.x), batch_size=2), outputs)


def test_the_model_moves_to_the_backend(backend: Any) -> None:
    model = network()
    train.Trainer(model, backend=backend.spec, progress=False).fit(images(6), epochs=1)
    for value in model.state_dict().values():
        assert backend.owns(value)


def test_a_model_that_was_moved_comes_back(torch: Any) -> None:
    trainer = train.Trainer(network(), backend="torch", progress=False)
    trainer.fit(images(6), epochs=1)
    trainer.model.to("numpy")
    trainer.evaluate(images(6))
    trainer.model.to("numpy")
    trainer.fit(images(6), epochs=1)
    assert str(trainer.model.backend) == "torch:cpu"


def test_the_backend_is_the_models_by_default(torch: Any) -> None:
    assert str(train.Trainer(network("torch")).backend) == "torch:cpu"
    assert str(train.Trainer(nn.ReLU()).backend) == "numpy"


@pytest.mark.parametrize("given", ["float32", "float64", "float16"])
def test_floating_data_gets_the_models_dtype(given: str) -> None:
    model = network(dtype="float64")
    trainer = train.Trainer(model, progress=False)
    trainer.fit(images(6, dtype=given), epochs=1)
    assert model.state_dict()["0.weight"].dtype == np.float64
    assert trainer.predict(images(2, dtype=given).x).dtype == np.float64


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_labels_of_any_integer_dtype(dtype: str) -> None:
    digits = images(12)
    trainer = train.Trainer(network(), progress=False)
    trainer.fit((digits.x, digits.y.astype(dtype)), epochs=1)
    expected = train.Trainer(network(), progress=False)
    expected.fit(digits, epochs=1)
    assert trainer.history["loss"] == expected.history["loss"]


def test_the_seed_decides(backend: Any) -> None:
    def losses(seed: int) -> list[float]:
        trainer = train.Trainer(network(), backend=backend.spec, seed=seed, progress=False)
        return trainer.fit(images(), epochs=2, batch_size=8)["loss"]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_without_shuffling() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            if training:
                seen.append(x[:, 0].tolist())
            return x, lambda dy: (dy, {})

    x = np.arange(5.0)[:, None] * np.ones((1, 2))
    trainer = train.Trainer(Spy(), progress=False)
    trainer.fit((x, np.zeros(5, dtype=int)), epochs=2, batch_size=2, shuffle=False)
    assert seen == [[0, 1], [2, 3], [4]] * 2


def test_a_second_fit_trains_on() -> None:
    trainer = train.Trainer(network(dropout=0), optimizer=optim.Adam(lr=0.01), progress=False)
    first = trainer.fit(images(), epochs=3)
    second = trainer.fit(images(), epochs=2)
    assert len(first) == 3
    assert second["epoch"] == [1, 2]
    assert second["loss"][0] < first["loss"][0]
    assert trainer.run.step == 2


def test_no_epochs() -> None:
    model = network()
    before = host_state(model)
    assert len(train.Trainer(model, progress=False).fit(images(), epochs=0)) == 0
    assert_same_bits(before, host_state(model))


def test_the_ambient_random_stream_is_left_alone() -> None:
    with use_stream(Stream(5)) as stream:
        before = stream.state_dict()
        train.Trainer(network(), progress=False).fit(images(), epochs=1)
        assert stream.state_dict() == before


def test_adam_is_the_default() -> None:
    assert repr(train.Trainer(network()).optimizer) == repr(optim.Adam())


def test_schedule_is_asked_at_every_step() -> None:
    times = []

    class Spy(schedule.StepLR):
        def __call__(self, t: float) -> float:
            times.append(t)
            return 0.0

    model = network(dropout=0)
    before = host_state(model)
    trainer = train.Trainer(model, schedule=Spy(1), progress=False)
    trainer.fit(images(10), epochs=2, batch_size=4)
    third = 1 / 3
    assert times == pytest.approx(
        [0, third, 2 * third, 2 * third, 1, 1 + third, 1 + 2 * third, 1 + 2 * third]
    )
    after = host_state(model)
    np.testing.assert_array_equal(after["7.weight"], before["7.weight"])


@pytest.mark.parametrize(
    ("monitor", "expected"), [(None, "val_loss"), ("accuracy", "accuracy"), ("loss", "loss")]
)
def test_what_the_plateau_watches(monitor: str | None, expected: str) -> None:
    plateau = schedule.ReduceLROnPlateau(monitor=monitor)
    observed: list[float] = []
    plateau.observe = observed.append  # type: ignore[method-assign]
    trainer = train.Trainer(network(), schedule=plateau, progress=False)
    history = trainer.fit(images(), images(5), epochs=2)
    assert observed == history[expected]


def test_what_the_plateau_watches_without_validation() -> None:
    plateau = schedule.ReduceLROnPlateau()
    observed: list[float] = []
    plateau.observe = observed.append  # type: ignore[method-assign]
    history = train.Trainer(network(), schedule=plateau, progress=False).fit(images(), epochs=2)
    assert observed == history["loss"]


# --- other losses ---------------------------------------------------------------------------------


def regression() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3))
    return x, x @ np.asarray([[1.0, 0.0], [2.0, -1.0], [0.5, 3.0]])


@pytest.mark.parametrize("loss", ["mse_loss", ops.mse_loss, nn.MSELoss()])
def test_regression(loss: Any) -> None:
    x, y = regression()
    trainer = train.Trainer(
        nn.Linear(3, 2, rng=Stream(0)), loss=loss, optimizer=optim.SGD(lr=0.1), progress=False
    )
    history = trainer.fit((x, y), (x, y), epochs=60, batch_size=16)
    assert list(history.rows[0]) == ["epoch", "loss", "val_loss", "lr", "seconds"]
    assert history["val_loss"][-1] < 1e-3


def test_yes_or_no() -> None:
    x, _ = regression()
    y = (x[:, :1] > 0).astype("float32")
    trainer = train.Trainer(
        nn.Linear(3, 1, rng=Stream(0)),
        loss="binary_cross_entropy_with_logits",
        metrics=["accuracy"],
        optimizer=optim.SGD(lr=1.0),
        progress=False,
    )
    history = trainer.fit((x, y), epochs=30, batch_size=16)
    assert history["accuracy"][-1] > 0.95


def test_probabilities_as_targets() -> None:
    digits = images(8)
    trainer = train.Trainer(network(), metrics=(), progress=False)
    history = trainer.fit((digits.x, np.eye(3)[digits.y]), epochs=1)
    labels = train.Trainer(network(), metrics=(), progress=False).fit(digits, epochs=1)
    assert history["loss"] == pytest.approx(labels["loss"])


def test_labels_to_ignore() -> None:
    digits = images(8)
    y = digits.y.copy()
    y[0] = 255
    trainer = train.Trainer(network(), loss=nn.CrossEntropyLoss(ignore_index=255), progress=False)
    trainer.fit((digits.x, y), epochs=1)
    y[0] = -100
    train.Trainer(network(), progress=False).fit((digits.x, y), epochs=1)


def test_a_label_for_every_pixel() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 1, 5, 5)), rng.integers(0, 3, (4, 5, 5))
    trainer = train.Trainer(nn.Conv2d(1, 3, 3, padding=1), progress=False)
    assert 0 <= trainer.fit((x, y), epochs=1)["accuracy"][0] <= 1


def test_a_loss_of_ones_own() -> None:
    """Whatever targets it takes, they are passed on unseen."""

    class Pull:
        def forward(self, logits: Any, target: Any) -> Any:
            return np.sum(logits), lambda: np.ones_like(logits)

    trainer = train.Trainer(network(dropout=0), loss=Pull(), metrics=(), progress=False)
    history = trainer.fit((images().x, np.full(26, 99)), epochs=3)
    assert history["loss"][2] < history["loss"][0]


def test_a_metric_of_ones_own() -> None:
    def margin(logits: Any, target: Any) -> Any:
        return np.mean(np.max(logits, axis=1) - np.min(logits, axis=1))

    trainer = train.Trainer(network(), metrics=["accuracy", margin], progress=False)
    assert trainer.fit(images(), images(4), epochs=1)["val_margin"][0] > 0


def test_a_loss_that_is_not_one_number() -> None:
    trainer = train.Trainer(network(), loss=nn.CrossEntropyLoss(reduction="none"), progress=False)
    with pytest.raises(ValueError, match=r"must be one number.*\(26,\); use reduction='mean'"):
        trainer.fit(images(), epochs=1)


def test_gradients_of_one_batch(backend: Any) -> None:
    digits = images(6)
    model = network(backend.spec, dropout=0.0)
    x, y = backend.array(digits.x), backend.array(digits.y)
    loss, logits, grads = train.gradients(model, "cross_entropy", x, y)
    assert sorted(grads) == sorted(model.parameters())
    assert tuple(logits.shape) == (6, 3)
    assert float(host(loss)) == pytest.approx(float(host(ops.cross_entropy(logits, y))))


# --- what it refuses ------------------------------------------------------------------------------

X, Y = images(6).x, images(6).y


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (X, Y + 1, ValueError, r"labels of the training data must be in 0 to 2.*3 outputs.*to 3"),
        (X, Y - 2, ValueError, r"must be in 0 to 2.* from -1 to -1"),
        (X, Y.astype(float), TypeError, "labels of the training data must be integers.*float64"),
        (X, Y > 1, TypeError, "must be integers, got dtype bool"),
        (X, np.eye(4, dtype=int)[Y], ValueError, r"labels .* shape \(N, 4\).*shape \(N,\)"),
        (X, Y[:3], ValueError, "x has 6 samples but y has 3 targets"),
        (X.astype("uint8"), Y, TypeError, r"x of the training data has dtype uint8.*/ 255"),
        (X[:, :, :3], Y, ValueError, "expects 24 features"),
        (X[:, 0], Y, ValueError, "expected 4D input"),
        (np.ones((6, 2, 6, 6)), Y, ValueError, "expects 1 input channels"),
    ],
)
def test_bad_data(x: Any, y: Any, error: type[Exception], message: str) -> None:
    model = network()
    before = host_state(model)
    with pytest.raises(error, match=message):
        train.Trainer(model, progress=False).fit((x, y), epochs=1)
    assert_same_bits(before, host_state(model))


@pytest.mark.parametrize(
    ("loss", "y", "error", "message"),
    [
        ("mse_loss", Y, TypeError, "y of the training data has dtype int64, mse_loss takes float"),
        ("mse_loss", Y.astype(float), ValueError, r"shape \(N,\), .* output has shape \(N, 3\)"),
        (nn.MSELoss(), Y.astype(float)[:, None], ValueError, r"shape \(N, 1\).*\(N, 3\)"),
        ("binary_cross_entropy_with_logits", np.ones((6, 2)), ValueError, "equal shapes"),
    ],
)
def test_bad_targets_of_value_losses(
    loss: Any, y: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train.Trainer(network(), loss=loss, progress=False).fit((X, y), epochs=1)


def test_bad_validation_data_is_found_before_training() -> None:
    model = network()
    before = host_state(model)
    with pytest.raises(ValueError, match="labels of the validation data"):
        train.Trainer(model, progress=False).fit((X, Y), (X, Y + 7), epochs=1)
    assert_same_bits(before, host_state(model))


def test_bad_data_to_evaluate_and_predict() -> None:
    trainer = train.Trainer(network(), progress=False)
    with pytest.raises(ValueError, match="labels of the given data"):
        trainer.evaluate((X, Y + 7))
    with pytest.raises(TypeError, match="x of the given data has dtype uint8"):
        trainer.predict(X.astype("uint8"))
    with pytest.raises(ValueError, match="no samples"):
        trainer.predict(X[:0])
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        trainer.predict(X, batch_size=0)


@pytest.mark.parametrize("given", [X, [X], (X, Y, Y), {"x": X}, None])
def test_not_a_dataset(given: Any) -> None:
    with pytest.raises(TypeError, match=r"train must be an ArrayDataset or a pair of arrays"):
        train.Trainer(network(), progress=False).fit(given, epochs=1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs must be at least 0, got -1"),
        ({"epochs": 2.5}, TypeError, "epochs must be an int, got float"),
        ({"epochs": 1, "batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"epochs": 1, "batch_size": 2.0}, TypeError, "batch_size must be an int, got float"),
    ],
)
def test_bad_settings_of_fit(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train.Trainer(network(), progress=False).fit((X, Y), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"progress": "fancy"}, "progress must be"),
        ({"seed": -1}, "seed must be non-negative"),
        ({"loss": "huber"}, "unknown loss"),
        ({"metrics": ["recall"]}, "unknown metric"),
        ({"backend": "jax"}, "unknown backend"),
        ({"clip_norm": -1}, "Invalid clip_norm: -1"),
    ],
)
def test_bad_settings_of_a_trainer(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train.Trainer(network(), **settings)


def test_a_function_is_no_schedule() -> None:
    with pytest.raises(
        TypeError, match=r"got function; for a function there is schedule\.LambdaLR"
    ):
        train.Trainer(network(), schedule=lambda t: 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "watcher",
    [
        {"callbacks": [train.EarlyStopping()]},
        {"callbacks": [train.BestModel("val_accuracy")]},
        {"schedule": schedule.ReduceLROnPlateau(monitor="precision")},
    ],
)
def test_watching_what_is_not_there(watcher: dict[str, Any]) -> None:
    model = network()
    before = host_state(model)
    with pytest.raises(ValueError, match=r"monitors '.*', but an epoch gives \['loss', 'acc"):
        train.Trainer(model, progress=False, **watcher).fit(images(), epochs=1)
    assert_same_bits(before, host_state(model))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "model must be a Module, got NoneType"),
        ({"model": nn.ReLU}, "model must be a Module, got the class ReLU"),
        ({"optimizer": "sgd"}, r"optimizer must be an Optimizer such as optim\.SGD.*, got str"),
        ({"optimizer": optim.SGD}, "optimizer must be an Optimizer.*, got the class SGD"),
        ({"callbacks": (3,)}, "callbacks must hold objects of Callback, got int"),
        ({"callbacks": train.EarlyStopping()}, "callbacks must be an iterable.*, got EarlySt"),
        ({"callbacks": [train.EarlyStopping]}, "callbacks must hold.*, got the class EarlySt"),
    ],
)
def test_parts_of_the_wrong_kind(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        train.Trainer(**({"model": network()} | change))


def test_callbacks_may_be_any_iterable() -> None:
    one = train.EarlyStopping()
    assert train.Trainer(network(), callbacks=iter([one])).callbacks == [one]


def test_a_last_batch_that_is_too_small_names_the_batch_size() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.BatchNorm1d(4))
    trainer = train.Trainer(model, progress=False)
    with pytest.raises(ValueError, match=r"more than 1 value.* 9 samples with batch_size=4"):
        trainer.fit(images(9), epochs=1, batch_size=4)
    trainer.fit(images(9), epochs=1, batch_size=5)


def test_a_directory_takes_no_run(tmp_path: Any) -> None:
    with pytest.raises(IsADirectoryError, match="it is a directory, not a file"):
        train.Trainer(network()).save(tmp_path)
