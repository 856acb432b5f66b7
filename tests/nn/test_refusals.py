"""Bad options and bad inputs are refused early, in words that name sizes and say what to do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.nn.layers import placed
from tests.nn.networks import small
from tests.refusals import refused
from xpconv import nn

OPTIONS = [
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ["in_channels must be divisible by groups", "3", "2"]),
    (lambda: nn.Conv2d(4, 3, 3, groups=2), ["out_channels must be divisible by groups", "3"]),
    (lambda: nn.Conv2d(0, 3, 3), ["in_channels", "0"]),
    (lambda: nn.Conv1d(3, -2, 3), ["out_channels", "-2"]),
    (lambda: nn.Conv2d(3, 4, 3, groups=0), ["groups", "0"]),
    (lambda: nn.Conv2d(3, 4, 0), ["kernel_size", "0"]),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ["kernel_size", "2", "(3, 3, 3)"]),
    (lambda: nn.Conv3d(3, 4, (3, 3)), ["kernel_size", "3", "(3, 3)"]),
    (lambda: nn.Conv2d(3, 4, 3, stride=0), ["stride", "0"]),
    (lambda: nn.Conv2d(3, 4, 3, dilation=(1, 0)), ["dilation", "(1, 0)"]),
    (lambda: nn.Conv2d(3, 4, 3, padding=-1), ["padding", "-1"]),
    (lambda: nn.Conv2d(3, 4, 3, padding="full"), ["padding", "'full'", "'same'", "'valid'"]),
    (
        lambda: nn.Conv2d(3, 4, 3, padding="same", stride=2),
        ["padding='same' is not supported for strided convolutions"],
    ),
    (lambda: nn.Conv2d(3, 4, 3, padding=((1, 1),)), ["padding"]),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="edge"), ["padding_mode", "'edge'"]),
    (lambda: nn.Linear(0, 3), ["in_features", "0"]),
    (lambda: nn.Linear(3, -1), ["out_features", "-1"]),
    (lambda: nn.BatchNorm2d(0), ["num_features", "0"]),
    (lambda: nn.Dropout(1.5), ["1.5"]),
    (lambda: nn.GELU("erf"), ["approximate", "'erf'", "'none'", "'tanh'"]),
]


@pytest.mark.parametrize(("make", "words"), OPTIONS)
def test_options_are_refused_when_a_layer_is_made(make, words) -> None:
    with refused(*words):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Linear(3.0, 2), ["in_features", "integer", "3.0"]),
        (lambda: nn.Linear(3, "2"), ["out_features", "integer", "'2'"]),
        (lambda: nn.Conv2d(1.0, 2, 3), ["in_channels", "integer"]),
        (lambda: nn.Conv2d(1, 2, 3.0), ["kernel_size", "integer"]),
        (lambda: nn.Conv2d(1, 2, None), ["kernel_size", "integer"]),
        (lambda: nn.Conv2d(1, 2, 3, (1, 1.5)), ["stride", "integer"]),
        (lambda: nn.BatchNorm2d(2.5), ["num_features", "integer"]),
    ],
)
def test_sizes_are_integers(make, words) -> None:
    with refused(*words, error=TypeError):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Dropout("a"), ["p must be a number", "'a'"]),
        (lambda: nn.LeakyReLU(None), ["negative_slope must be a number", "None"]),
        (lambda: nn.Softmax(1.0), ["dim must be an integer", "1.0"]),
        (lambda: nn.TripletMarginLoss(margin=None), ["margin must be a number", "None"]),
        (lambda: nn.GaussianNLLLoss(eps=(1,)), ["eps must be a number", "(1,)"]),
        (lambda: nn.CrossEntropyLoss(ignore_index=2.0), ["ignore_index must be an integer", "2.0"]),
    ],
)
def test_options_of_a_wrong_kind(make, words) -> None:
    """Layers whose constructor is read off an operation check as that does, when they are made."""
    with refused(*words, error=TypeError):
        make()


INPUTS = [
    (lambda: nn.Conv2d(3, 4, 3), (2, 4, 5, 5), ["3 input channels", "4", "(2, 4, 5, 5)"]),
    (lambda: nn.Conv2d(4, 4, 3, groups=2), (2, 3, 5, 5), ["groups=2", "4", "3"]),
    (lambda: nn.Conv2d(3, 4, 3), (3, 5), ["(N, C, ...)", "(3, 5)", "4 axes"]),
    (lambda: nn.Conv1d(3, 4, 3), (2, 3, 5, 5), ["3 axes", "(2, 3, 5, 5)"]),
    (lambda: nn.Conv3d(3, 4, 3), (2, 5, 5), ["5 axes", "(2, 5, 5)"]),
    (
        lambda: nn.Conv2d(3, 4, 5),
        (2, 3, 4, 9),
        ["Given input size: (3x4x9)", "Output size is too small"],
    ),
    (
        lambda: nn.MaxPool2d(5),
        (2, 3, 4, 4),
        ["Given input size: (3x4x4)", "Output size is too small"],
    ),
    (lambda: nn.AvgPool1d(5), (2, 3, 4), ["Given input size: (3x4)", "Output size is too small"]),
    (lambda: nn.MaxPool2d(2), (3, 5), ["4 axes", "(3, 5)"]),
    (lambda: nn.Linear(3, 4), (2, 4), ["3 features", "(2, 4)"]),
    (lambda: nn.BatchNorm2d(3), (2, 4, 5, 5), ["3", "4"]),
    (lambda: nn.BatchNorm2d(3), (2, 3, 5), ["4D", "3D"]),
    (lambda: nn.Flatten(2), (2, 3), ["start_dim", "2", "(2, 3)"]),
    (lambda: nn.Softmax(2), (2, 3), ["dim", "2", "(2, 3)"]),
    (lambda: nn.Unfold(5), (2, 3, 4, 4), ["(5, 5)", "(4, 4)"]),
    (lambda: nn.Fold((4, 4), 2), (2, 12, 4), ["9", "4"]),
]


@pytest.mark.parametrize(("make", "shape", "words"), INPUTS)
def test_inputs_that_do_not_fit(make, shape, words) -> None:
    layer, x = make(), np.zeros(shape, "float32")
    before = layer.state_dict()
    for call in (layer, layer.forward, lambda x: layer.forward(x, training=True)):
        with refused(*words):
            call(x)
    for key, value in layer.state_dict().items():
        assert value is before[key]


def test_sums_of_unlike_shapes() -> None:
    one, two = np.zeros((2, 3)), np.zeros((1, 3))
    for call in (nn.Add(), nn.Add().forward):
        with refused("(2, 3)", "(1, 3)"):
            call(one, two)
        with refused("at least two", "1"):
            call(one)


# --- libraries and dtypes --------------------------------------------------------------------

WITH_WEIGHTS = [
    (lambda: nn.Conv2d(1, 2, 3), (2, 1, 4, 4)),
    (lambda: nn.Conv2d(4, 4, 1, groups=4, bias=False), (2, 4, 4, 4)),
    (lambda: nn.Linear(3, 2), (2, 3)),
    (lambda: nn.BatchNorm1d(3), (2, 3)),
    (lambda: nn.BatchNorm2d(1, track_running_stats=False), (2, 1, 4, 4)),
    (small, (2, 1, 4, 4)),
    (lambda: nn.Sequential(nn.ReLU(), nn.Residual(nn.Linear(3, 3))), (2, 3)),
]


@pytest.mark.parametrize(("make", "shape"), WITH_WEIGHTS)
def test_a_numpy_array_says_which_argument_it_is_and_how_to_move_it(
    backend: Library, make, shape
) -> None:
    if backend.xp is Library("numpy").xp:
        return
    model = make().to(backend.spec)
    x = np.ones(shape, "float32")
    library = backend.spec.partition(":")[0]
    for call in (model, model.forward, lambda x: model.forward(x, training=True)):
        with refused("x is a numpy array", f"{library} array", "asarray(x)", error=TypeError):
            call(x)
    assert model(model.backend.asarray(x)).shape[0] == 2  # the advice works


@pytest.mark.parametrize(("make", "shape"), WITH_WEIGHTS)
def test_a_model_left_on_numpy_is_named_too(backend: Library, make, shape) -> None:
    if backend.xp is Library("numpy").xp:
        return
    model, x = make(), backend.array(np.ones(shape, "float32"))
    with refused("is a numpy array", "x is a", "asarray(", error=TypeError):
        model(x)
    assert model.to(backend.spec)(x).shape[0] == 2


def test_devices_are_told_apart() -> None:
    strict = pytest.importorskip("array_api_strict")
    model = nn.Linear(3, 2).to("array_api_strict:device1")
    x = strict.ones((2, 3), dtype=strict.float32)
    with refused("x is", "CPU_DEVICE", "device1", "weight", error=TypeError):
        model(x)


@pytest.mark.parametrize(("make", "shape"), WITH_WEIGHTS)
def test_dtypes_are_told_apart(backend: Library, make, shape) -> None:
    model = placed(make(), backend, "float32")
    before = {key: host(value).copy() for key, value in model.state_dict().items()}
    x = backend.array(np.ones(shape))
    assert dtype_name(x) == "float64"
    for call in (model, model.forward, lambda x: model.forward(x, training=True)):
        with refused("x", "float64", "float32", error=TypeError):
            call(x)
    for key, value in model.state_dict().items():
        backend.assert_equal(value, before[key])


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
@pytest.mark.parametrize(("make", "shape"), WITH_WEIGHTS[:5])
def test_images_of_whole_numbers_are_told_apart(backend: Library, make, shape, dtype) -> None:
    model = placed(make(), backend, "float32")
    with refused("x", dtype, error=TypeError):
        model(backend.array(np.ones(shape), dtype))


@pytest.mark.parametrize("value", [[[1.0, 2.0, 3.0]], 3.0, None, "x", (1.0,)], ids=repr)
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(nn.Linear, (3, 2)), (nn.Conv1d, (1, 1, 1)), (nn.ReLU, ()), (nn.MaxPool1d, (1,))],
)
def test_what_is_no_array_is_told_apart(kind, arguments, value) -> None:
    layer = kind(*arguments)
    for call in (layer, layer.forward):
        with pytest.raises(TypeError, match="x must be an array") as caught:
            call(value)
        assert type(value).__name__ in str(caught.value)


def test_a_gradient_of_another_shape_or_library_is_refused(backend: Library) -> None:
    model = placed(nn.Linear(3, 2), backend)
    _, backward = model.forward(backend.array(np.ones((2, 3))))
    with refused("(2, 2)", "(2, 3)"):
        backward(backend.array(np.ones((2, 3))))
    if backend.xp is not Library("numpy").xp:
        with pytest.raises(TypeError, match="numpy"):
            backward(np.ones((2, 2)))
