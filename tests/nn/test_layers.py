"""What holds for every layer, and each layer against its PyTorch twin."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.nn.layers import CASES, OTHERS, Case, placed
from xpconv import nn
from xpconv.random import Stream, use_stream

EACH = pytest.mark.parametrize("case", CASES, ids=str)


def run(layer: nn.Module, case: Case, *inputs):
    """Forward with the same dropout masks every time."""
    with use_stream(Stream(1)):
        return layer.forward(*inputs, training=case.training)


def together(dx, count: int) -> tuple:
    return dx if count > 1 else (dx,)


def test_every_layer_has_a_case() -> None:
    kinds = {type(case.make()).__name__ for case in CASES}
    assert kinds | OTHERS == set(nn.__all__)


@EACH
def test_gradients_along_random_directions(backend: Library, case: Case) -> None:
    layer = placed(case.make(), backend)
    inputs = [backend.array(x) for x in case.inputs()]
    state = layer.state_dict()
    y, backward = run(layer, case, *inputs)
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
            return host(run(layer, case, *there)[0])
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
def test_backward_twice_and_forward_again(backend: Library, case: Case) -> None:
    """Nothing is kept on the layer: runs do not disturb one another."""
    layer = placed(case.make(), backend)
    inputs = [backend.array(x) for x in case.inputs()]
    before = layer.state_dict()
    y, backward = run(layer, case, *inputs)
    dx, grads = backward(y)
    run(layer, case, *(backend.array(x) for x in case.inputs(seed=1)))
    again, again_grads = backward(y)
    for one, two in zip(together(dx, len(inputs)), together(again, len(inputs)), strict=True):
        backend.assert_equal(one, two)
    for key, gradient in grads.items():
        backend.assert_equal(again_grads[key], gradient)
    for x, original in zip(inputs, case.inputs(), strict=True):
        backend.assert_equal(x, original)
    for key in layer.parameters():
        assert layer.state_dict()[key] is before[key]


@EACH
def test_inference_is_forward_without_training(backend: Library, case: Case) -> None:
    layer = placed(case.make(), backend)
    inputs = [backend.array(x) for x in case.inputs()]
    before = {key: host(value) for key, value in layer.state_dict().items()}
    y = layer(*inputs)
    backend.assert_equal(y, layer.forward(*inputs)[0])
    backend.assert_equal(layer.infer(*inputs), y)
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(host(value), before[key])


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_place_are_kept(backend: Library, case: Case, dtype: str) -> None:
    layer = placed(case.make(), backend, dtype)
    inputs = [backend.array(x, dtype) for x in case.inputs()]
    y, backward = run(layer, case, *inputs)
    dx, grads = backward(y)
    for array in (y, *together(dx, len(inputs)), *grads.values(), *layer.state_dict().values()):
        assert backend.owns(array)
        assert dtype_name(array) in (dtype, "int64")


@EACH
def test_layers_are_born_where_the_user_says(backend: Library, case: Case) -> None:
    from xpconv import use_backend

    with use_backend(backend.spec):
        layer = case.make()
    for key, array in layer.state_dict().items():
        assert backend.owns(array)
        counter = key.endswith("num_batches_tracked")
        assert dtype_name(array) == ("int64" if counter else "float32")
    assert layer.backend == (backend.backend if layer.state_dict() else None)


@EACH
def test_the_same_seed_gives_the_same_weights(backend: Library, case: Case) -> None:
    from xpconv import use_backend

    with use_stream(Stream(3)):
        here = case.make()
    with use_backend(backend.spec), use_stream(Stream(3)):
        there = case.make()
    assert list(here.state_dict()) == list(there.state_dict())
    for key, array in there.state_dict().items():
        np.testing.assert_array_equal(host(array), host(here.state_dict()[key]))


@EACH
def test_as_pytorch(backend: Library, torch, case: Case) -> None:
    if case.twin is None:
        return
    name, *arguments = case.twin
    twin = getattr(torch.nn, name)(*arguments).double().train(case.training)
    layer = placed(case.make(), backend)
    assert list(layer.state_dict()) == list(twin.state_dict())
    for key, value in twin.state_dict().items():
        assert layer.state_dict()[key].shape == tuple(value.shape)
    twin.load_state_dict({k: torch.tensor(host(v)) for k, v in layer.state_dict().items()})

    inputs = case.inputs()
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    desired = twin(*tensors)
    dy = np.random.default_rng(0).normal(size=tuple(desired.shape))
    desired.backward(torch.tensor(dy))

    y, backward = run(layer, case, *(backend.array(x) for x in inputs))
    backend.assert_close(y, desired.detach().numpy())
    dx, grads = backward(backend.array(dy))
    backend.assert_close(dx, tensors[0].grad.numpy())
    assert set(grads) == {key for key, _ in twin.named_parameters()}
    for key, parameter in twin.named_parameters():
        backend.assert_close(grads[key], parameter.grad.numpy())
    for key, buffer in twin.named_buffers():
        backend.assert_close(layer.buffers()[key], buffer.numpy())
    assert layer.num_parameters == sum(p.numel() for p in twin.parameters())


@EACH
def test_it_shows_what_it_is(case: Case) -> None:
    layer = case.make()
    assert repr(layer).startswith(type(layer).__name__ + "(")


def test_options_are_refused_when_a_layer_is_made() -> None:
    for make, word in (
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), "out_channels must be divisible by groups"),
        (lambda: nn.Conv2d(0, 3, 3), "in_channels"),
        (lambda: nn.Conv2d(3, 4, 0), "kernel_size"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "kernel_size"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), "stride"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding"),
        (lambda: nn.Conv2d(3, 4, 3, padding="same", stride=2), "strided"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode"),
        (lambda: nn.Linear(0, 3), "in_features"),
        (lambda: nn.Linear(3, -1), "out_features"),
        (lambda: nn.BatchNorm2d(0), "num_features"),
        (lambda: nn.Dropout(1.5), "1.5"),
        (lambda: nn.GELU("erf"), "approximate"),
    ):
        with pytest.raises(ValueError, match=word):
            make()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(3), (2, 3, 4, 5)),
        (nn.BatchNorm2d(3), (2, 3, 4)),
        (nn.BatchNorm3d(3), (2, 3, 4, 5)),
        (nn.BatchNorm2d(3), (2, 4, 5, 5)),
        (nn.Conv2d(3, 4, 3), (2, 4, 5, 5)),
        (nn.Linear(3, 4), (2, 4)),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_named(layer: nn.Module, shape) -> None:
    x = np.zeros(shape, "float32")
    for call in (layer, layer.forward, lambda x: layer.forward(x, training=True)):
        with pytest.raises(ValueError, match=str(shape[1])):
            call(x)


def test_running_statistics_are_replaced_and_not_written_to(rng: np.random.Generator) -> None:
    layer = nn.BatchNorm1d(3)
    mean, count = layer.running_mean, layer.num_batches_tracked
    layer.forward(rng.normal(size=(5, 3)).astype("float32"), training=True)
    np.testing.assert_array_equal(mean, np.zeros(3))
    assert int(count) == 0
    assert int(layer.num_batches_tracked) == 1
    assert np.any(layer.running_mean != 0)


def test_running_statistics_over_many_batches(backend: Library, torch, rng) -> None:
    for momentum in (0.1, 0.7, None):
        twin = torch.nn.BatchNorm2d(3, momentum=momentum).double()
        layer = placed(nn.BatchNorm2d(3, momentum=momentum), backend)
        for size in (4, 2, 3):
            x = rng.normal(2, 3, size=(size, 3, 2, 2))
            twin(torch.tensor(x))
            layer.forward(backend.array(x), training=True)
        for key, buffer in twin.named_buffers():
            backend.assert_close(layer.buffers()[key], buffer.numpy())


def test_a_frozen_batch_norm_keeps_its_statistics_in_a_forward_pass(backend: Library, rng) -> None:
    """The way back exists in inference mode, too, and moves nothing."""
    layer = placed(nn.BatchNorm1d(3), backend)
    x = backend.array(rng.normal(size=(5, 3)))
    y, backward = layer.forward(x)
    backend.assert_equal(layer.running_mean, np.zeros(3))
    dx, grads = backward(y)
    assert dx.shape == x.shape
    assert set(grads) == {"weight", "bias"}


def test_dropout_takes_a_new_mask_for_each_forward_pass(backend: Library) -> None:
    layer, x = nn.Dropout(0.5), backend.array(np.ones((10, 10)))
    with use_stream(Stream(0)):
        one, two = (host(layer.forward(x, training=True)[0]) for _ in range(2))
    assert np.any(one != two)
    backend.assert_equal(layer(x), np.ones((10, 10)))


def test_dropout_may_be_used_twice_at_once(backend: Library) -> None:
    """Each way back keeps the mask of its own forward pass."""
    layer, x = nn.Dropout(0.5), backend.array(np.ones((10, 10)))
    runs = [layer.forward(x, training=True) for _ in range(3)]
    for y, backward in runs:
        backend.assert_equal(backward(x)[0], y)
