"""Whether a network's way back is the derivative of its way there, by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.backends import Library, host
from tests.nn.layers import placed, run, together
from xpconv import nn
from xpconv.random import Stream, use_stream


def assert_gradients(
    make: Callable[[], nn.Module],
    backend: Library,
    *shapes: tuple[int, ...],
    training: bool = True,
) -> None:
    """Move inputs and parameters together along random directions, in float64.

    The first direction moves everything; the others move one input or parameter each, all of them
    in turn, so that a gradient under a wrong key cannot hide behind another.
    """
    rng = np.random.default_rng(5)
    with use_stream(Stream(5)):
        model = placed(make(), backend)
    inputs = [rng.normal(size=shape) for shape in shapes]
    state = model.state_dict()
    outputs, backward = run(model, *map(backend.array, inputs), training=training)
    single = not isinstance(outputs, tuple)
    dys = [rng.normal(size=y.shape) for y in together(outputs, 1 if single else 2)]
    dx, grads = backward(
        backend.array(dys[0]) if single else tuple(backend.array(dy) for dy in dys)
    )
    model.update(state)  # undo the step of the running statistics
    assert set(grads) == set(model.parameters()), f"{[*grads]}, not {[*model.parameters()]}"

    gradients: dict[Any, np.ndarray] = dict(enumerate(map(host, together(dx, len(shapes)))))
    gradients |= {key: host(gradient) for key, gradient in grads.items()}
    values: dict[Any, np.ndarray] = dict(enumerate(inputs))
    values |= {key: host(state[key]) for key in grads}
    for key, gradient in gradients.items():
        assert gradient.shape == values[key].shape, key

    def output(moves: dict[Any, np.ndarray], step: float) -> float:
        there = {key: backend.array(values[key] + step * move) for key, move in moves.items()}
        model.update({key: array for key, array in there.items() if isinstance(key, str)})
        arrays = [there.get(i, backend.array(x)) for i, x in enumerate(inputs)]
        results = together(run(model, *arrays, training=training)[0], 1 if single else 2)
        model.update(state)
        return sum(float(np.sum(dy * host(y))) for dy, y in zip(dys, results, strict=True))

    keys = [*gradients]
    for chosen in [keys, *([key] for key in keys)]:
        moves = {key: rng.normal(size=values[key].shape) for key in chosen}
        by_gradient = sum(float(np.sum(gradients[key] * move)) for key, move in moves.items())
        step = 1e-5
        by_differences = (output(moves, step) - output(moves, -step)) / (2 * step)
        scale = 1 + sum(float(np.sum(np.abs(gradients[key] * move))) for key, move in moves.items())
        np.testing.assert_allclose(
            by_gradient, by_differences, rtol=0, atol=1e-7 * scale, err_msg=str(chosen)
        )
