"""Ctrl-C: a step is done whole or not at all, and the run can go on from there."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.train.small import assert_same_bits, host_state, images, network
from xpconv import optim, train
from xpconv.train import _interrupt

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_held_until_asked_for() -> None:
    with _interrupt.held_interrupt() as between_steps:
        between_steps()
        press()
        with pytest.raises(KeyboardInterrupt):
            between_steps()
        between_steps()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_not_lost_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), _interrupt.held_interrupt():
        press()


def test_the_second_does_not_wait() -> None:
    with _interrupt.held_interrupt() as between_steps:
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
        with pytest.raises(KeyboardInterrupt):
            between_steps()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_handler_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = []
    old = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        with _interrupt.held_interrupt() as between_steps:
            press()
            between_steps()
    finally:
        signal.signal(signal.SIGINT, old)
    assert pressed == [1]


def test_in_another_thread_nothing_is_changed() -> None:
    done = []

    def work() -> None:
        with _interrupt.held_interrupt() as between_steps:
            between_steps()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


@pytest.mark.parametrize("moment", [1, 5, 7, 8])
def test_a_run_goes_on_after_ctrl_c(tmp_path: Path, moment: int) -> None:
    """Pressed in the middle of a step: the step is finished, saved, and the rest is the same."""
    path = tmp_path / "run.safetensors"
    calls = 0

    def pressing(logits: Any, target: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == moment:
            press()
        return train.accuracy(logits, target)

    def trainer(metric: Any) -> train.Trainer:
        metric.__name__ = "accuracy"
        return train.Trainer(
            network(), optimizer=optim.Adam(lr=0.01), metrics=[metric], progress=False
        )

    def calm(logits: Any, target: Any) -> Any:
        return train.accuracy(logits, target)

    whole = trainer(calm)
    whole.fit(images(12), images(4), epochs=3, batch_size=4)

    stopped = trainer(pressing)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(images(12), images(4), epochs=3, batch_size=4)
    assert stopped.run.step < 9
    stopped.save(path)
    resumed = trainer(calm)
    history = resumed.fit(images(12), images(4), epochs=3, batch_size=4, resume=path)
    assert_same_bits(host_state(whole.model), host_state(resumed.model))
    assert history["loss"] == whole.history["loss"]
    assert history["val_accuracy"] == whole.history["val_accuracy"]
