"""What holds for every layer: gradients, purity, places and dtypes, initial weights."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.nn.cases import CASES, OTHERS
from tests.nn.layers import Case, placed, run, together
from xpconv import nn, use_backend
from xpconv.random import Stream, use_stream

EACH = pytest.mark.parametrize("case", CASES, ids=str)


def test_every_layer_has_a_case() -> None:
    kinds = {case.kind for case in CASES}
    losses = {
        name
        for name in nn.__all__
        if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Loss)
    }
    assert kinds | OTHERS | losses == set(nn.__all__)


@EACH
def test_gradients_along_random_directions(backend: Library, case: Case) -> None:
    layer = placed(case.make(), backend)
    inputs = [backend.array(x) for x in case.inputs()]
    state = layer.state_dict()
    y, backward = run(layer, *inputs, training=case.training)
    layer.update(state)  # undo the step of the running statistics
    rng = np.random.default_rng(2)
    dy = rng.normal(size=y.shape)
    dx, grads = backward(backend.array(dy))
    assert set(grads) == set(layer.parameters())
    step = 1e-6

    def moved(i: int | None, key: str | None, move: np.ndarray) -> np.ndarray:
        there = list(inputs)
        if i is not None:
            there[i] = backend.array(host(inputs[i]) + move)
        if key is not None:
            layer.update({key: backend.array(host(state[key]) + move)})
        try:
            return host(run(layer, *there, training=case.training)[0])
        finally:
            layer.update(state)

    targets = [(i, None, g) for i, g in enumerate(together(dx, len(inputs)))]
    targets += [(None, key, g) for key, g in grads.items()]
    for i, key, gradient in targets:
        assert gradient.shape == (inputs[i] if key is None else state[key]).shape
        direction = rng.normal(size=gradient.shape)
        by_differences = np.sum(
            dy * (moved(i, key, step * direction) - moved(i, key, -step * direction))
        ) / (2 * step)
        by_gradient = np.sum(host(gradient) * direction)
        scale = np.sum(np.abs(host(gradient) * direction)) + np.sum(np.abs(dy * host(y))) + 1
        np.testing.assert_allclose(by_gradient, by_differences, rtol=0, atol=1e-8 * scale)


@EACH
def test_runs_do_not_disturb_one_another(backend: Library, case: Case) -> None:
    """Nothing is kept on the layer: two passes at once, ways back in any order, and twice."""
    alone = []
    for seed in (0, 1):
        layer = placed(case.make_seeded(), backend)
        y, backward = run(
            layer, *map(backend.array, case.inputs(seed)), training=case.training, seed=seed
        )
        alone.append((y, *backward(y)))
    layer = placed(case.make_seeded(), backend)
    inputs = [[backend.array(x) for x in case.inputs(seed)] for seed in (0, 1)]
    parameters = layer.parameters()
    runs = [run(layer, *inputs[i], training=case.training, seed=i) for i in (0, 1)]
    for i in (1, 0, 0, 1):
        y, backward = runs[i]
        dx, grads = backward(y)
        backend.assert_equal(y, alone[i][0])
        for one, two in zip(
            together(dx, len(case.shapes)), together(alone[i][1], len(case.shapes)), strict=True
        ):
            backend.assert_equal(one, two)
        assert set(grads) == set(alone[i][2])
        for key, gradient in grads.items():
            backend.assert_equal(gradient, alone[i][2][key])
    for i in (0, 1):
        for x, original in zip(inputs[i], case.inputs(i), strict=True):
            backend.assert_equal(x, original)
    for key, parameter in layer.parameters().items():
        assert parameter is parameters[key]


@EACH
def test_inference_is_forward_without_training(backend: Library, case: Case) -> None:
    layer = placed(case.make(), backend)
    inputs = [backend.array(x) for x in case.inputs()]
    y = layer(*inputs)
    backend.assert_equal(y, layer.forward(*inputs)[0])
    backend.assert_equal(y, layer.forward(*inputs, training=False)[0])
    backend.assert_equal(layer.infer(*inputs), y)


@EACH
def test_inference_changes_nothing_on_the_layer(case: Case) -> None:
    layer = case.make()
    inputs = [x.astype("float32") for x in case.inputs()]

    def everything() -> list[tuple[nn.Module, dict[str, object]]]:
        return [(module, dict(vars(module))) for _, module in layer.named_modules()]

    before = everything()
    copies = {key: value.copy() for key, value in layer.state_dict().items()}
    layer(*inputs)
    _, backward = layer.forward(*inputs)
    backward(layer(*inputs))
    after = everything()
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert old.keys() == new.keys()
        assert all(new[name] is value for name, value in old.items())
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, copies[key])


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_place_are_kept(backend: Library, case: Case, dtype: str) -> None:
    layer = placed(case.make(), backend, dtype)
    inputs = [backend.array(x, dtype) for x in case.inputs()]
    y, backward = run(layer, *inputs, training=case.training)
    dx, grads = backward(y)
    arrays = (y, layer(*inputs), *together(dx, len(inputs)), *grads.values())
    for array in (*arrays, *layer.state_dict().values()):
        assert backend.owns(array)
        assert dtype_name(array) in (dtype, "int64")
    for key, gradient in grads.items():
        assert gradient.shape == layer.parameters()[key].shape


@EACH
def test_half_precision(backend: Library, case: Case) -> None:
    """Half in, half out, and right to what half can hold."""
    if not hasattr(backend.xp, "float16"):
        return  # not in the standard
    layer = placed(case.make_seeded(), backend, "float16")
    inputs = [backend.array(x, "float16") for x in case.inputs()]
    y, backward = run(layer, *inputs, training=case.training)
    expected, _ = run(
        placed(case.make_seeded(), Library("numpy")), *case.inputs(), training=case.training
    )
    backend.assert_close(y, expected, dtype="float16", rtol=5e-3)
    dx, grads = backward(y)
    for array in (*together(dx, len(inputs)), *grads.values(), *layer.state_dict().values()):
        assert backend.owns(array)
        assert dtype_name(array) in ("float16", "int64")
        assert np.all(np.isfinite(host(array)))


@EACH
def test_moved_layers_compute_what_placed_ones_do(backend: Library, case: Case) -> None:
    moved = case.make_seeded().to(backend.spec, dtype="float64")
    inputs = [backend.array(x) for x in case.inputs()]
    y, backward = run(moved, *inputs, training=case.training)
    expected, _ = run(placed(case.make_seeded(), backend), *inputs, training=case.training)
    backend.assert_equal(y, expected)
    for gradient in backward(y)[1].values():
        assert dtype_name(gradient) == "float64"


@EACH
def test_layers_are_born_where_the_user_says(backend: Library, case: Case) -> None:
    with use_backend(backend.spec):
        layer = case.make()
    for key, array in layer.state_dict().items():
        assert backend.owns(array)
        counter = key.endswith("num_batches_tracked")
        assert dtype_name(array) == ("int64" if counter else "float32")
    assert layer.backend == (backend.backend if layer.state_dict() else None)


@EACH
def test_the_same_seed_gives_the_same_weights(backend: Library, case: Case) -> None:
    with use_stream(Stream(3)):
        here = case.make()
    with use_backend(backend.spec), use_stream(Stream(3)):
        there = case.make()
    assert list(here.state_dict()) == list(there.state_dict())
    for key, array in there.state_dict().items():
        np.testing.assert_array_equal(host(array), host(here.state_dict()[key]))


@EACH
def test_it_shows_what_it_is(case: Case) -> None:
    layer = case.make()
    assert repr(layer).startswith(type(layer).__name__ + "(")
    assert repr(layer).endswith(")")
