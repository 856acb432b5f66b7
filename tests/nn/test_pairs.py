"""Two layers in one pass give what they give in turn, to the last bit, gradients included."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import engines, nn
from xpconv.nn import _pairs


def in_turn(call: Callable[[], tuple]) -> tuple:
    """What a call returns while somebody watches, and every layer runs by itself."""
    with nn.observe(lambda *_: None):
        return call()


def branches() -> nn.Module:
    """A residual block; a rectifier that two others read; one sum of three."""
    x = nn.Input()
    h = nn.ReLU()(nn.BatchNorm2d(4)(nn.Conv2d(4, 4, 3, padding=1, bias=False)(x)))
    h = nn.ReLU()(nn.Add()(nn.Conv2d(4, 4, 1)(h), h))
    shared = nn.Conv2d(4, 4, 1)(h)
    h = nn.ReLU()(nn.Add()(nn.ReLU()(shared), shared, x))
    return nn.Graph(x, (h, nn.ReLU()(nn.BatchNorm2d(4)(h))))


def summed() -> nn.Module:
    """A sum that ends at 6."""
    x = nn.Input()
    return nn.Graph(x, nn.ReLU6()(nn.Add()(nn.Tanh()(x), x)))


X1, X2, X3 = (2, 4, 7), (2, 4, 6, 5), (2, 4, 3, 4, 3)
ROWS: list[tuple[Callable[[], nn.Module], tuple[int, ...], int]] = [
    # how to make it, the shape of its input, how many pairs it has
    (lambda: nn.Sequential(nn.Conv1d(4, 3, 3), nn.ReLU()), X1, 1),
    (lambda: nn.Sequential(nn.Conv2d(4, 3, 3, bias=False), nn.ReLU(), nn.ReLU()), X2, 1),
    (lambda: nn.Sequential(nn.Conv2d(4, 8, 3, groups=4, stride=2), nn.ReLU()), X2, 1),
    (
        lambda: nn.Sequential(nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), nn.ReLU()),
        X2,
        1,
    ),
    (lambda: nn.Sequential(nn.ReLU(), nn.Conv3d(4, 3, 2), nn.ReLU(), nn.Flatten()), X3, 1),
    (lambda: nn.Sequential(nn.Conv2d(4, 3, 2), nn.ReLU()), X2[1:], 1),
    (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 2, 2), nn.ReLU()), X1, 2),
    (lambda: nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.ReLU(), nn.Conv2d(4, 2, 1)), X2, 1),
    (lambda: nn.Sequential(nn.BatchNorm2d(4, bias=False), nn.ReLU()), X2, 1),
    (lambda: nn.Sequential(nn.BatchNorm3d(4, track_running_stats=False), nn.ReLU()), X3, 1),
    (lambda: nn.Sequential(nn.Residual(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()))), X2, 1),
    (lambda: nn.Sequential(nn.Linear(7, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)), X1, 1),
    (branches, X2, 4),
    (lambda: nn.Sequential(nn.Conv2d(4, 3, 3, groups=1), nn.ReLU6(), nn.ReLU6()), X2, 1),
    (lambda: nn.Sequential(nn.Conv2d(4, 8, 3, groups=4, bias=False), nn.ReLU6(True)), X2, 1),
    (lambda: nn.Sequential(nn.BatchNorm2d(4), nn.ReLU6(), nn.BatchNorm2d(4), nn.ReLU()), X2, 2),
    (lambda: nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.ReLU6()), X1, 1),
    (lambda: nn.Sequential(nn.Linear(7, 3), nn.ReLU6()), X1, 1),
    (summed, X2, 1),
    # none: another activation, another layer between, a layer of the user's
    (lambda: nn.Sequential(nn.Conv2d(4, 3, 3), nn.LeakyReLU(), nn.ReLU()), X2, 0),
    (lambda: nn.Sequential(nn.ConvTranspose2d(4, 3, 3), nn.ReLU()), X2, 0),
    (lambda: nn.Sequential(Doubled(4, 3, 3), nn.ReLU()), X2, 0),
    (lambda: nn.Sequential(nn.Conv2d(4, 3, 3), Shifted()), X2, 0),
    (lambda: nn.Sequential(nn.weight_norm(nn.Conv2d(4, 3, 3)), nn.ReLU()), X2, 0),
]


class Doubled(nn.Conv2d):
    """A convolution with a forward pass of its own."""

    def forward(self, x, training=False):
        y, back = super().forward(x, training=training)
        return y * 2, lambda dy: back(dy * 2)


class Shifted(nn.ReLU):
    """A rectifier that is none."""

    def forward(self, x, training=False):
        return x + 1, lambda dy: (dy, {})


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the layers that were run together with the one after them."""
    seen: list[str] = []
    named = _pairs.named
    monkeypatch.setattr(
        _pairs, "named", lambda *call: (seen.append(type(call[1]).__name__), named(*call))[1]
    )
    return seen


def assert_same(found: tuple, expected: tuple, dy_of: Callable) -> None:
    """Equal outputs, and equal gradients of everything."""
    (y, back), (z, back_in_turn) = found, expected
    outputs, others = (y, z) if isinstance(y, tuple) else ((y,), (z,))
    for one, other in zip(outputs, others, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(host(one), host(other))
    dy = tuple(map(dy_of, outputs))
    dy = dy if isinstance(y, tuple) else dy[0]
    (dx, grads), (dz, grads_in_turn) = back(dy), back_in_turn(dy)
    np.testing.assert_array_equal(host(dx), host(dz))
    for those in (grads, nn.parameter_gradients(back, dy)):
        assert list(those) == list(grads_in_turn)
        for key, grad in grads_in_turn.items():
            assert those[key].dtype == grad.dtype
            np.testing.assert_array_equal(host(those[key]), host(grad), err_msg=key)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("make", "shape", "count"), ROWS)
def test_as_in_turn(
    make, shape, count: int, training: bool, dtype: str, backend: Library, rng, pairs: list[str]
) -> None:
    if dtype == "float16" and backend.label == "strict":
        pytest.skip("the standard has no float16")
    model = placed(make(), backend, dtype)
    x = backend.array(rng.normal(size=shape) * 4, dtype)  # so that some of it ends at 6
    state = model.state_dict()
    expected = in_turn(lambda: model.forward(x, training=training))
    assert pairs == []
    moved = model.state_dict()
    model.update(state)
    found = model.forward(x, training=training)
    assert len(pairs) == count
    for key, value in model.state_dict().items():  # running statistics
        np.testing.assert_array_equal(host(value), host(moved[key]), err_msg=key)
    assert_same(found, expected, lambda y: backend.array(rng.normal(size=y.shape), dtype))


@pytest.mark.parametrize(("make", "shape", "count"), ROWS)
def test_inference(make, shape, count: int, backend: Library, rng, pairs: list[str]) -> None:
    model = placed(make(), backend, "float32")
    x = backend.array(rng.normal(size=shape), "float32")
    expected = in_turn(lambda: model(x))
    assert pairs == []
    found = model(x)
    assert len(pairs) == count
    both = (found, expected) if isinstance(found, tuple) else ((found,), (expected,))
    for one, other in zip(*both, strict=True):
        np.testing.assert_array_equal(host(one), host(other))


def test_a_layer_that_infers_otherwise() -> None:
    class Cheap(nn.Conv2d):
        def infer(self, x):
            return x - 1

    model = nn.Sequential(Cheap(1, 1, 1), nn.ReLU())
    x = np.ones((1, 1, 2, 2), np.float32)
    np.testing.assert_array_equal(model(3 * x), 2 * x)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ["forward", "infer"])
def test_a_layer_whose_method_was_replaced(name: str, place: int, graph: bool, rng) -> None:
    """As parity does, to write down what passes."""
    layers, start = [nn.Conv2d(1, 2, 3), nn.ReLU()], nn.Input()
    model = nn.Graph(start, layers[1](layers[0](start))) if graph else nn.Sequential(*layers)
    seen = []
    original = getattr(layers[place], name)
    setattr(layers[place], name, lambda *a, **k: (seen.append(name), original(*a, **k))[1])
    x = rng.normal(size=(1, 1, 6, 6)).astype("float32")
    y = model(x) if name == "infer" else model.forward(x, training=True)[0]
    assert seen == [name]
    assert y.shape == (1, 2, 4, 4)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite(hole: float, backend: Library, rng) -> None:
    x = rng.normal(size=(2, 4, 6, 5))
    x[0, 1, 2, 3] = hole
    x = backend.array(x)
    layers = (nn.Conv2d(4, 3, 3), nn.BatchNorm2d(4))
    for layer, after in itertools.product(layers, (nn.ReLU(), nn.ReLU6())):
        model = placed(nn.Sequential(layer, after), backend)
        with np.errstate(invalid="ignore"):
            expected = in_turn(lambda m=model: m.forward(x, training=True))
            assert_same(
                model.forward(x, training=True),
                expected,
                lambda y: backend.array(np.ones(tuple(y.shape))),
            )
    for after in (nn.ReLU(), nn.ReLU6()):
        y = host(placed(nn.Sequential(nn.BatchNorm2d(4), after), backend).forward(x, True)[0])
        assert np.isnan(y).any()
        assert (y == 0).any()


def test_large_images(rng) -> None:
    """Those that compiled bodies go over in parts."""
    x = rng.normal(size=(4, 20, 20, 64)).astype("float32").transpose(0, 3, 1, 2)
    inner = nn.Input()
    h = nn.Conv2d(64, 64, 1)(inner)
    sums = nn.Graph(inner, nn.ReLU()(nn.Add()(h, inner)))
    both = (nn.Sequential(nn.BatchNorm2d(64), after) for after in (nn.ReLU(), nn.ReLU6()))
    for model in (*both, sums, nn.Sequential(nn.Conv2d(64, 64, 1), nn.ReLU6())):
        expected = in_turn(lambda m=model: m.forward(x, training=True))
        dy = rng.normal(size=x.shape).astype("float32")
        assert_same(model.forward(x, training=True), expected, lambda _, dy=dy: dy)


def test_the_engine_is_asked_for_the_activation(monkeypatch: pytest.MonkeyPatch, rng) -> None:
    asked = []
    original = engines.forward
    monkeypatch.setattr(
        engines, "forward", lambda *given: (asked.append(given[4]), original(*given))[1]
    )
    convs = [nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 1)]
    model = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.Tanh(), convs[2], nn.ReLU6())
    model.forward(rng.normal(size=(1, 1, 6, 6)).astype("float32"), training=True)
    assert asked == ["relu", None, "relu6"]


def test_whole_and_complex_numbers_as_in_turn() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU())
    model[0].weight = np.full((1, 1, 1, 1), -2)
    y, _ = model.forward(np.ones((1, 1, 2, 2), np.int64))
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, 0)
    model[0].weight = np.ones((1, 1, 1, 1), np.complex128)
    with refused("x must have a real floating dtype, got complex128", error=TypeError):
        model.forward(np.ones((1, 1, 2, 2), np.complex128))


def test_the_way_back_wants_a_cotangent_that_fits(backend: Library, rng) -> None:
    model = placed(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), backend)
    y, back = model.forward(backend.array(rng.normal(size=(1, 1, 6, 6))), training=True)
    with refused("the cotangent must have the output's shape", str(tuple(y.shape))):
        back(y[:, :1, ...])


@pytest.mark.parametrize("size", [2, 40])  # by NumPy, and by bodies
def test_what_is_not_finite_passes_without_a_word(size: int) -> None:
    conv = nn.Conv2d(3, 3, 3, padding=1)
    conv.weight[...] = -1  # what comes from one infinity is the other one
    x, dy = (np.zeros((4, 3, size, size), np.float32) for _ in range(2))
    dy[0, 0, 0, 0] = np.inf
    with np.errstate(all="raise"):
        for model in (nn.Residual(conv), nn.Sequential(conv, conv)):
            _, backward = model.forward(x, training=True)
            dx, grads = backward(dy)
            assert not np.isfinite(dx).all()
            assert not any(np.isfinite(array).all() for array in grads.values())
        planned = conv.compile_for(x.shape)
        x[0, :2, 0, 0] = np.inf, -np.inf
        assert np.isnan(planned(x)).any()
