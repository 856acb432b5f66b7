"""Optimisers: worked by hand, against scalar loops, against PyTorch, and on every library."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.backends import host
from xpconv import optim

SHAPES = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "scale": ()}

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.02}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "betas": (0.0, 0.9), "weight_decay": 0.0}),
]
IDS = [f"{kind}-{'-'.join(settings)}" for kind, settings in VARIANTS]


class Bag:
    """The least that an optimiser asks of a model."""

    def __init__(self, **arrays: Any) -> None:
        self.arrays = arrays

    def parameters(self) -> dict[str, Any]:
        return dict(self.arrays)

    def update(self, values: Any) -> None:
        self.arrays.update(values)


def draw(rng: np.random.Generator, dtype: str = "float64") -> dict[str, np.ndarray]:
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}


def scalar_oracle(
    kind: str, settings: dict[str, Any], theta: float, gradients: list[float]
) -> float:
    """Walk one number through the textbook formulas, in plain Python."""
    decay = settings.get("weight_decay", 0.01 if kind == "AdamW" else 0.0)
    lr = settings["lr"]
    b = m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        if kind == "SGD":
            g += decay * theta
            mu = settings.get("momentum", 0.0)
            b = g if t == 1 else mu * b + (1 - settings.get("dampening", 0.0)) * g
            theta -= lr * (g + mu * b if settings.get("nesterov") else b if mu else g)
            continue
        beta1, beta2 = settings.get("betas", (0.9, 0.999))
        if kind == "AdamW":
            theta *= 1 - lr * decay
        else:
            g += decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta -= lr * m_hat / (math.sqrt(v_hat) + settings.get("eps", 1e-8))
    return theta


def test_sgd_by_hand() -> None:
    bag = Bag(w=np.asarray([1.0, -2.0]))
    sgd = optim.SGD(lr=0.5, momentum=0.5)
    sgd.step(bag, {"w": np.asarray([1.0, 1.0])})  # buffer 1: 1 - 0.5
    np.testing.assert_array_equal(bag.arrays["w"], [0.5, -2.5])
    sgd.step(bag, {"w": np.asarray([1.0, 3.0])})  # buffer 0.5 + gradient
    np.testing.assert_array_equal(bag.arrays["w"], [0.5 - 0.75, -2.5 - 1.75])


def test_adam_by_hand() -> None:
    """The first step of Adam is lr in the gradient's direction, whatever its size."""
    bag = Bag(w=np.asarray([1.0, 1.0, 1.0]))
    optim.Adam(lr=0.25, eps=0.0).step(bag, {"w": np.asarray([1e-6, -1.0, 1e6])})
    np.testing.assert_allclose(bag.arrays["w"], [0.75, 1.25, 0.75], rtol=1e-12)


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_scalar_loop(kind: str, settings: dict[str, Any], rng: np.random.Generator) -> None:
    start = rng.standard_normal(5)
    gradients = rng.standard_normal((12, 5))
    bag = Bag(w=start)
    optimizer = getattr(optim, kind)(**settings)
    for gradient in gradients:
        optimizer.step(bag, {"w": gradient})
    expected = [
        scalar_oracle(kind, settings, float(theta), [float(g) for g in gradients[:, i]])
        for i, theta in enumerate(start)
    ]
    np.testing.assert_allclose(bag.arrays["w"], expected, rtol=1e-12)


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_follows_pytorch(
    torch: Any, kind: str, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    bag = Bag(**draw(rng))
    twins = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in bag.arrays.items()}
    ours = getattr(optim, kind)(**settings)
    theirs = getattr(torch.optim, kind)(twins.values(), foreach=False, **settings)
    for number in range(25):
        gradients: dict[str, Any] = draw(rng)
        if number % 4 == 1:
            gradients["conv.bias"] = None  # PyTorch skips a parameter without gradient
        if number == 20:  # a schedule changes the rate of some steps
            theirs.param_groups[0]["lr"] = settings["lr"] / 7
        for name, twin in twins.items():
            gradient = gradients[name]
            twin.grad = None if gradient is None else torch.tensor(gradient)
        theirs.step()
        ours.step(bag, gradients, lr=settings["lr"] / 7 if number >= 20 else None)
        for name, twin in twins.items():
            np.testing.assert_allclose(
                bag.arrays[name], twin.detach().numpy(), rtol=1e-12, atol=1e-14, err_msg=name
            )
    assert ours.lr == settings["lr"]
    for twin, slots in zip(twins.values(), ours.state_dict()["slots"].values(), strict=True):
        for key, slot in slots.items():
            np.testing.assert_allclose(slot, theirs.state[twin][key].numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_every_library(
    backend: Any, dtype: str, kind: str, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    """Same numbers everywhere, dtype and place kept, nothing written to."""
    start, gradients = draw(rng, dtype), [draw(rng, dtype) for _ in range(3)]
    reference = Bag(**start)
    bag = Bag(**{name: backend.array(value) for name, value in start.items()})
    one, other = getattr(optim, kind)(**settings), getattr(optim, kind)(**settings)
    for gradient in gradients:
        given = {name: backend.array(value) for name, value in gradient.items()}
        before = bag.parameters()
        copies = {name: host(value).copy() for name, value in before.items()}
        one.step(reference, gradient)
        other.step(bag, given)
        for name in SHAPES:
            backend.assert_equal(given[name], gradient[name])
            backend.assert_equal(before[name], copies[name])
            backend.assert_close(bag.arrays[name], reference.arrays[name], rtol=1e-5, dtype=dtype)
            assert type(bag.arrays[name]) is type(given[name])  # not NumPy's scalar for 0-d
    for slots in other.state_dict()["slots"].values():
        for slot in slots.values():
            assert backend.owns(slot)
            assert type(slot) is type(given["scale"])
            assert str(slot.dtype).endswith(dtype)


def test_numpy_hyperparameters_do_not_widen_float32() -> None:
    bag = Bag(w=np.ones(3, dtype=np.float32))
    adam = optim.Adam(lr=np.float64(0.1), betas=np.asarray([0.9, 0.99]), eps=np.float64(1e-8))  # type: ignore[arg-type]
    adam.step(bag, {"w": np.ones(3, dtype=np.float32)}, lr=np.float64(0.1))
    assert bag.arrays["w"].dtype == np.float32


def test_momentum_does_not_share_memory_with_the_gradient() -> None:
    bag = Bag(w=np.zeros(2))
    gradient = np.ones(2)
    sgd = optim.SGD(lr=1.0, momentum=0.9)
    sgd.step(bag, {"w": gradient})
    gradient[:] = 100.0
    np.testing.assert_array_equal(sgd.state_dict()["slots"]["w"]["momentum_buffer"], [1.0, 1.0])


@pytest.mark.parametrize("absent", [{}, {"v": None}])
def test_parameter_without_gradient_is_left_alone(absent: dict[str, None]) -> None:
    bag = Bag(w=np.ones(2), v=np.ones(2))
    before = bag.arrays["v"]
    adam = optim.AdamW(weight_decay=0.5)
    adam.step(bag, {"w": np.ones(2), **absent})
    assert bag.arrays["v"] is before
    assert adam.state_dict()["steps"] == {"w": 1}


def test_gradient_for_nothing() -> None:
    with pytest.raises(ValueError, match=r"unknown parameter\(s\) \['weights'\].*\['weight'\]"):
        optim.SGD().step(Bag(weight=np.ones(2)), {"weights": np.ones(2)})


def test_gradient_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"gradient of 'w' has shape \(3,\).*shape \(2,\)"):
        optim.SGD().step(Bag(w=np.ones(2)), {"w": np.ones(3)})


def test_gradient_of_another_dtype() -> None:
    with pytest.raises(TypeError, match="its gradient is float32"):
        optim.SGD().step(Bag(w=np.ones(2)), {"w": np.ones(2, dtype=np.float32)})


def test_gradient_of_another_library(torch: Any) -> None:
    with pytest.raises(TypeError, match=r"its gradient is a torch array.*parameter 'w'"):
        optim.SGD().step(Bag(w=np.ones(2)), {"w": torch.ones(2, dtype=torch.float64)})


def test_a_refused_step_changes_nothing() -> None:
    bag = Bag(a=np.ones(2), b=np.ones(2))
    adam = optim.Adam()
    with pytest.raises(ValueError, match="shape"):
        adam.step(bag, {"a": np.ones(2), "b": np.ones(5)})
    np.testing.assert_array_equal(bag.arrays["a"], [1.0, 1.0])
    assert adam.state_dict()["steps"] == adam.state_dict()["slots"] == {}


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("SGD", {"lr": -1}, "Invalid learning rate: -1"),
        ("SGD", {"lr": math.nan}, "Invalid learning rate: nan"),
        ("SGD", {"momentum": -0.1}, "Invalid momentum value: -0.1"),
        ("SGD", {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        (
            "SGD",
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            "Nesterov momentum requires a momentum and zero dampening",
        ),
        ("Adam", {"lr": -1}, "Invalid learning rate: -1"),
        ("Adam", {"eps": -1}, "Invalid epsilon value: -1"),
        ("Adam", {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        ("AdamW", {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        ("AdamW", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
    ],
)
def test_bad_settings(kind: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(optim, kind)(**settings)


def test_bad_rate_for_one_step() -> None:
    with pytest.raises(ValueError, match="Invalid learning rate"):
        optim.SGD().step(Bag(), {}, lr=-1.0)


def test_base_class_has_no_rule() -> None:
    with pytest.raises(NotImplementedError):
        optim.Optimizer(lr=1.0).step(Bag(w=np.ones(1)), {"w": np.ones(1)})


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_state_goes_on_exactly(
    backend: Any, kind: str, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    """Saved on the host after three steps, loaded anywhere: the next steps are the same."""
    start, gradients = draw(rng), [draw(rng) for _ in range(6)]
    whole, half = Bag(**start), Bag(**start)
    one, other = getattr(optim, kind)(**settings), getattr(optim, kind)(**settings)
    for gradient in gradients:
        one.step(whole, gradient)
    for gradient in gradients[:3]:
        other.step(half, gradient)
    moved = Bag(**{name: backend.array(value) for name, value in half.arrays.items()})
    resumed = getattr(optim, kind)(lr=123.0)
    resumed.load_state_dict(other.state_dict())
    assert repr(resumed) == repr(other)
    for gradient in gradients[3:]:
        resumed.step(moved, {name: backend.array(value) for name, value in gradient.items()})
    for name in SHAPES:
        backend.assert_close(moved.arrays[name], whole.arrays[name], rtol=1e-14)


def test_state_takes_the_parameters_dtype() -> None:
    bag = Bag(w=np.ones(2))
    sgd = optim.SGD(momentum=0.9)
    sgd.step(bag, {"w": np.ones(2)})
    bag.arrays["w"] = bag.arrays["w"].astype(np.float32)
    sgd.step(bag, {"w": np.ones(2, dtype=np.float32)})
    assert bag.arrays["w"].dtype == np.float32
    assert sgd.state_dict()["slots"]["w"]["momentum_buffer"].dtype == np.float32


def test_state_of_another_kind() -> None:
    with pytest.raises(ValueError, match="the state is of Adam, this optimizer is SGD"):
        optim.SGD().load_state_dict(optim.Adam().state_dict())


# --- steps that are skipped where the gradients are not finite ------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_a_skipped_step_has_not_happened(
    backend: Any, dtype: str, kind: str, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    """Bad steps in front, between and behind: what is left are the good ones."""
    start, gradients = draw(rng, dtype), [draw(rng, dtype) for _ in range(4)]
    bad = {name: np.full(shape, np.inf, dtype) for name, shape in SHAPES.items()}
    whole = Bag(**start)
    bag = Bag(**{name: backend.array(value) for name, value in start.items()})
    one, other = getattr(optim, kind)(**settings), getattr(optim, kind)(**settings)
    for gradient in gradients:
        one.step(whole, gradient)
    for number, gradient in enumerate([bad, *gradients[:2], bad, *gradients[2:], bad]):
        given = {name: backend.array(value) for name, value in gradient.items()}
        if number == 2:
            given["scale"] = None  # another parameter has taken fewer steps
        with np.errstate(invalid="ignore"):
            other.step(bag, given, found_inf=backend.array(gradient is bad))
    for name in ("conv.weight", "conv.bias"):
        rtol = {"float32": 1e-6, "float64": 1e-14}[dtype]
        backend.assert_close(bag.arrays[name], whole.arrays[name], rtol=rtol, dtype=dtype)
        assert type(bag.arrays[name]) is type(backend.array(start[name]))
    counts = {"conv.weight": 4, "conv.bias": 4, "scale": 3}
    assert other.state_dict()["steps"] == counts
    for slots in other.state_dict()["slots"].values():
        for slot in slots.values():
            assert backend.owns(slot)
            assert np.isfinite(host(slot)).all()
    # Without skipping it goes on with plain numbers.
    other.step(bag, {name: backend.array(value) for name, value in gradients[0].items()})
    assert other.state_dict()["steps"] == {name: count + 1 for name, count in counts.items()}


def test_skipping_is_decided_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing about it is read on the host, but for a checkpoint."""
    strict = pytest.importorskip("array_api_strict")
    place = strict.Device("device1")
    bag = Bag(w=strict.ones(3, dtype=strict.float32, device=place))
    adam = optim.AdamW()
    with monkeypatch.context() as patch:
        for name in ("__bool__", "__float__", "__int__", "__index__", "__complex__"):
            patch.delattr(type(bag.arrays["w"]), name)
        for found in (True, False):
            adam.step(bag, {"w": bag.arrays["w"]}, found_inf=strict.asarray(found, device=place))
    assert adam.state_dict()["steps"] == {"w": 1}


# --- clipping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e9])
def test_clip_follows_pytorch(torch: Any, max_norm: float, rng: np.random.Generator) -> None:
    grads = draw(rng)
    twins = [torch.nn.Parameter(torch.zeros(shape)) for shape in SHAPES.values()]
    for twin, gradient in zip(twins, grads.values(), strict=True):
        twin.data = twin.data.double()
        twin.grad = torch.tensor(gradient)
    expected = torch.nn.utils.clip_grad_norm_(twins, max_norm)
    clipped, norm = optim.clip_grad_norm(grads, max_norm)
    np.testing.assert_allclose(norm, expected.numpy(), rtol=1e-13)
    for twin, gradient in zip(twins, clipped.values(), strict=True):
        np.testing.assert_allclose(gradient, twin.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_on_every_library(backend: Any, dtype: str) -> None:
    grads = {"a": backend.array([3.0], dtype), "b": None, "c": backend.array([[4.0]], dtype)}
    clipped, norm = optim.clip_grad_norm(grads, 2.5)
    backend.assert_close(backend.xp.asarray(norm), np.asarray(5.0, dtype=dtype))
    backend.assert_close(clipped["a"], np.asarray([1.5], dtype=dtype), rtol=1e-6)
    backend.assert_close(clipped["c"], np.asarray([[2.0]], dtype=dtype), rtol=1e-6)
    assert clipped["b"] is None
    backend.assert_equal(grads["a"], np.asarray([3.0], dtype=dtype))


def test_clip_in_half_precision_does_not_overflow() -> None:
    grads = {"a": np.full(4, 1000.0, dtype=np.float16)}
    clipped, norm = optim.clip_grad_norm(grads, 1.0)
    assert float(norm) == pytest.approx(2000.0)
    assert clipped["a"].dtype == np.float16
    np.testing.assert_allclose(clipped["a"], 0.5, rtol=1e-3)


def test_clip_keeps_a_nan_visible() -> None:
    clipped, norm = optim.clip_grad_norm({"a": np.asarray([1.0]), "b": np.asarray([np.nan])}, 1.0)
    assert np.isnan(norm)
    assert np.isnan(clipped["a"]).all()


def test_clip_nothing() -> None:
    assert optim.clip_grad_norm({"a": None}, 1.0) == ({"a": None}, 0.0)


def test_clip_mixed_libraries(torch: Any) -> None:
    with pytest.raises(TypeError, match="gradient of 'b' is a torch array"):
        optim.clip_grad_norm({"a": np.ones(1), "b": torch.ones(1)}, 1.0)


@pytest.mark.parametrize("max_norm", [-1.0, math.nan])
def test_clip_bad_norm(max_norm: float) -> None:
    with pytest.raises(ValueError, match="max_norm must be at least 0"):
        optim.clip_grad_norm({}, max_norm)


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=IDS)
def test_bfloat16_of_ml_dtypes_stays(
    kind: str, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    """NumPy widens it in arithmetic with numbers; a step computes so and rounds once."""
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    narrow = Bag(**{name: array.astype(bfloat16) for name, array in draw(rng).items()})
    grads = {name: array.astype(bfloat16) for name, array in draw(rng).items()}
    wide = Bag(**{name: array.astype("float64") for name, array in narrow.arrays.items()})
    steps = [getattr(optim, kind)(**settings) for _ in range(2)]
    steps[0].step(narrow, grads)
    steps[1].step(wide, {name: array.astype("float64") for name, array in grads.items()})
    for name, array in narrow.arrays.items():
        assert type(array) is np.ndarray
        assert array.dtype == bfloat16
        largest = np.abs(wide.arrays[name]).max()
        error = np.abs(array.astype("float64") - wide.arrays[name]).max()
        assert error <= 2.0**-8 * largest  # half a unit of the last of eight bits, twice
    for slots in steps[0].state_dict()["slots"].values():
        assert {slot.dtype for slot in slots.values()} <= {np.dtype(bfloat16)}
