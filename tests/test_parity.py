"""The parity check: agreement where there is agreement, and the culprit where there is not."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backends import TF32_RTOL, Library, host, missing
from xpconv import BackendError, models, nn, ops, parity_check
from xpconv.backend import backend_of
from xpconv.parity._cause import likely_cause
from xpconv.parity._compare import distance
from xpconv.random import Stream, current_stream, manual_seed

STRICT = "array_api_strict:device1"
SMALL = (6, 1, 8, 8)


def make_batch(shape: tuple[int, ...] = SMALL, dtype: str = "float32") -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape).astype(dtype), rng.integers(10, size=shape[0])


def digits_model(dtype: str = "float32") -> nn.Module:
    return models.digits_cnn(rng=Stream(0)).to("numpy", dtype)


class Broken(nn.Module):
    """Passes its input on, except on one backend, where it spoils what passes."""

    def __init__(
        self,
        forward: Callable[[Any], Any] = lambda x: x,
        backward: Callable[[Any], Any] = lambda dy: dy,
        on: str = "array_api_strict",
    ) -> None:
        self._spoil_forward, self._spoil_backward, self._on = forward, backward, on

    def forward(self, x: Any, training: bool = False) -> Any:
        if backend_of(x).name != self._on:
            return x, lambda dy: (dy, {})
        return self._spoil_forward(x), lambda dy: (self._spoil_backward(dy), {})


def check_broken(broken: nn.Module, **options: Any) -> Any:
    """Put a broken layer, number 2, into the middle of a network and check that."""
    rng = Stream(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=rng),
        nn.ReLU(),
        broken,
        nn.Conv2d(4, 4, 3, padding=1, rng=rng),
        nn.Flatten(),
        nn.Linear(4 * 8 * 8, 10, rng=rng),
    )
    return parity_check(model, *make_batch(), ("numpy", STRICT), **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_libraries_agree(backend: Library, dtype: str) -> None:
    rtol = 2 * TF32_RTOL if backend.in_tf32(dtype) else None  # by default TF32 does not pass
    places = ("numpy", backend.spec)
    report = parity_check(digits_model(dtype), *make_batch(dtype=dtype), places, rtol=rtol)
    assert report.ok, str(report)
    assert report.first_bad is report.cause is None
    assert report.backends == ("numpy", str(backend.backend))


@pytest.mark.parametrize("name", ["lenet5", "small_vgg", "resnet18_cifar"])
def test_models_agree(torch: Any, name: str) -> None:
    shape = models.MODELS[name].input_shape
    model = models.get_model(name, rng=Stream(0))
    report = parity_check(model, *make_batch((2, *shape)), ("numpy", "torch"))
    assert report.ok, str(report)


def test_every_layer_gradient_and_buffer_has_a_row_in_the_order_of_execution() -> None:
    model = nn.Sequential(
        {
            "conv": nn.Conv2d(1, 2, 3),
            "bn": nn.BatchNorm2d(2),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(72, 10),
        }
    )
    rows = parity_check(model, *make_batch(), ("numpy", STRICT)).rows
    assert [(row.name, row.kind) for row in rows] == [
        ("conv", "output"),
        ("bn", "output"),
        ("flatten", "output"),
        ("fc", "output"),
        ("loss", "loss"),
        ("loss", "input gradient"),
        ("fc.weight", "gradient"),
        ("fc.bias", "gradient"),
        ("fc", "input gradient"),
        ("flatten", "input gradient"),
        ("bn.weight", "gradient"),
        ("bn.bias", "gradient"),
        ("bn", "input gradient"),
        ("conv.weight", "gradient"),
        ("conv.bias", "gradient"),
        ("conv", "input gradient"),
        ("bn.running_mean", "buffer"),
        ("bn.running_var", "buffer"),
        ("bn.num_batches_tracked", "buffer"),
        ("end to end", "output"),
        ("end to end", "loss"),
        ("end to end", "gradient"),
    ]
    assert rows[0].shape == (6, 2, 6, 6)
    assert rows[0].dtype == "float32"
    assert rows[0].backend == STRICT


def test_containers_with_arithmetic_of_their_own_have_rows() -> None:
    body = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    model = nn.Sequential(nn.Residual(body), nn.Flatten(), nn.Linear(64, 10))
    rows = parity_check(model, *make_batch(), ("numpy", STRICT)).rows
    names = [(row.name, row.kind) for row in rows]
    assert ("0", "output") in names
    assert ("0", "input gradient") in names
    assert ("0.body", "output") not in names


def test_a_single_layer_is_a_model() -> None:
    rows = parity_check(nn.Linear(4, 10), *make_batch((3, 4)), ("numpy", STRICT)).rows
    assert [row.name for row in rows[:4]] == ["(model)", "loss", "loss", "weight"]


def test_a_layer_that_is_used_twice() -> None:
    layer = nn.Linear(10, 10)
    report = parity_check(nn.Sequential(layer, layer), *make_batch((3, 10)), ("numpy", STRICT))
    assert report.ok
    assert [row.name for row in report.rows[:2]] == ["0", "0 (use 2)"]
    assert {"0.weight", "0.weight (use 2)"} <= {row.name for row in report.rows}


def test_a_layer_with_several_outputs() -> None:
    x, layer = nn.Input(), nn.Linear(4, 10)
    h = layer(x)
    inner = nn.Graph(x, (h, nn.ReLU()(h)))
    a, b = nn.Input(), nn.Input()

    class Both(nn.Module):
        def __init__(self) -> None:
            self.inner, self.add = inner, nn.Graph((a, b), nn.Add()(a, b))

        def forward(self, x: Any, training: bool = False) -> Any:
            outputs, back_inner = self.inner.forward(x, training=training)
            y, back_add = self.add.forward(*outputs, training=training)

            def backward(dy: Any) -> Any:
                dx, grads = back_inner(back_add(dy)[0])
                return dx, {f"inner.{key}": value for key, value in grads.items()}

            return y, backward

    report = parity_check(Both(), *make_batch((3, 4)), ("numpy", STRICT))
    assert report.ok, str(report)
    assert {"inner[0]", "inner[1]"} <= {row.name for row in report.rows}


def test_the_model_is_left_as_it_was() -> None:
    model = digits_model().to(STRICT)
    before = {key: host(value).copy() for key, value in model.state_dict().items()}
    manual_seed(3)
    stream = copy.deepcopy(current_stream().state_dict())
    parity_check(model, *make_batch(), ("numpy", STRICT))
    assert str(model.backend) == STRICT
    assert current_stream().state_dict() == stream
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(host(value), before[key], err_msg=key)
    assert "forward" not in vars(model)


def test_the_seed_decides_the_masks() -> None:
    model, (x, y) = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 10)), make_batch((3, 8))
    first, again, other = (
        parity_check(model, x, y, ("numpy", STRICT), seed=seed).rows[0] for seed in (1, 1, 2)
    )
    assert first.ok
    assert first.max_abs == again.max_abs == other.max_abs == 0


def test_three_backends_are_each_compared_with_the_first(torch: Any) -> None:
    broken = Broken(lambda x: x + 0.01, on="torch")
    model = nn.Sequential(nn.Linear(4, 10), broken)
    report = parity_check(model, *make_batch((3, 4)), ("numpy", STRICT, "torch"))
    assert {row.backend for row in report.rows if not row.ok} == {"torch:cpu"}
    assert report.first_bad == "1"
    assert "1 (torch:cpu)" in str(report)


# --- what is broken is named ---------------------------------------------------------------------


def test_a_broken_layer_is_named_and_no_other() -> None:
    report = check_broken(Broken(lambda x: x + 0.01))
    assert not report.ok
    assert report.first_bad == "2"
    assert report.cause == "a constant offset of 0.01"
    assert {row.layer for row in report.rows if not row.ok} == {"2", "end to end"}
    row = next(row for row in report.rows if row.name == "2")
    assert row.max_abs == pytest.approx(0.01, rel=1e-3)
    assert row.max_abs > row.tolerance


def test_a_broken_layer_on_the_reference_is_named_too() -> None:
    report = check_broken(Broken(lambda x: x + 0.01, on="numpy"))
    assert report.first_bad == "2"


def test_a_broken_gradient_is_named() -> None:
    report = check_broken(Broken(backward=lambda dy: dy * 2.0))
    assert report.first_bad == "2"
    assert report.cause == (
        "only the gradient differs: a constant factor of 2, so 2 or 1/2: a mean against a sum?"
    )
    bad = [(row.name, row.kind) for row in report.rows if not row.ok]
    assert bad == [("2", "input gradient"), ("end to end", "gradient")]


def test_a_broken_parameter_gradient_is_named() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            self.weight = np.ones(10, np.float32)

        def forward(self, x: Any, training: bool = False) -> Any:
            factor = 1.0 if backend_of(x).name == "numpy" else -1.0
            xp = backend_of(x).xp
            return x * self.weight, lambda dy: (
                dy * self.weight,
                {"weight": factor * xp.sum(dy * x, axis=0)},
            )

    model = nn.Sequential(nn.Linear(4, 10, rng=Stream(0)), Scale())
    report = parity_check(model, *make_batch((5, 4)), ("numpy", STRICT))
    assert report.first_bad == "1"
    assert report.cause == "only the gradient differs: a constant factor of -1"
    assert next(row for row in report.rows if not row.ok).name == "1.weight"


def test_other_precision_is_named() -> None:
    def to_ten_bits(x: Any) -> Any:
        xp = backend_of(x).xp
        bits = np.float32(2.0) ** (10 - np.floor(np.log2(np.abs(host(x)) + 1e-30)))
        scale = backend_of(x).asarray(bits.astype(np.float32))
        return xp.round(x * scale) / scale

    report = check_broken(Broken(to_ten_bits))
    assert report.first_bad == "2"
    assert "TF32" in report.cause


def test_other_masks_are_named() -> None:
    class Other(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            if backend_of(x).name == "array_api_strict":
                current_stream().next_key()
            y, back = ops.vjp(ops.dropout, x, 0.5, training)
            return y, lambda dy: (back(dy)[0], {})

    report = check_broken(Other())
    assert report.first_bad == "2"
    assert "another dropout mask?" in report.cause


def test_another_dtype_is_named() -> None:
    report = parity_check(
        Broken(lambda x: backend_of(x).xp.astype(x, backend_of(x).xp.float64)),
        *make_batch((4, 10)),
        ("numpy", STRICT),
    )
    assert report.first_bad == "(model)"
    assert report.cause == f"dtype differs: float32 on numpy, float64 on {STRICT}"


def test_nan_is_named() -> None:
    report = check_broken(Broken(lambda x: x * math.nan))
    assert "NaN in 1536 of 1536 elements on array_api_strict" in report.cause
    assert "<<<" in str(report)


def test_statistics_that_differ_are_named() -> None:
    class Forgetful(nn.BatchNorm2d):
        def _track(self, mean: Any, var: Any, count: int) -> None:
            super()._track(mean, var, count)
            if backend_of(mean).name == "array_api_strict":
                self.num_batches_tracked = self.num_batches_tracked + 1

    report = check_broken(Forgetful(4))
    assert report.first_bad == "2"
    assert next(row for row in report.rows if not row.ok).name == "2.num_batches_tracked"


def test_differences_that_only_add_up_are_said_to() -> None:
    # The backward pass of the container sums in the wrong way, where no layer sees it.
    class Careless(nn.Sequential):
        def forward(self, x: Any, training: bool = False) -> Any:
            y, back = super().forward(x, training=training)
            factor = 1.0 if backend_of(x).name == "numpy" else 1.5
            return y, lambda dy: (
                lambda dx, grads: (dx, {k: g * factor for k, g in grads.items()})
            )(*back(dy))

    report = parity_check(Careless(nn.Linear(4, 10)), *make_batch((3, 4)), ("numpy", STRICT))
    assert report.first_bad == "end to end"
    assert report.cause.startswith("the layers agree one by one")


def test_a_path_that_depends_on_the_backend_is_refused() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(10, 10)

        def forward(self, x: Any, training: bool = False) -> Any:
            if backend_of(x).name == "numpy":
                return x, lambda dy: (dy, {})
            y, back = self.layer.forward(x, training=training)
            return y, lambda dy: (back(dy)[0], {})

    for backends in (("numpy", STRICT), (STRICT, "numpy")):
        with pytest.raises(ValueError, match="the model takes another path on"):
            parity_check(Fork(), *make_batch((3, 10)), backends)


def test_other_gradients_are_refused() -> None:
    class Silent(nn.Sequential):
        def forward(self, x: Any, training: bool = False) -> Any:
            y, back = super().forward(x, training=training)
            if backend_of(x).name == "numpy":
                return y, back
            return y, lambda dy: (back(dy)[0], {})

    with pytest.raises(ValueError, match="other gradients"):
        parity_check(Silent(nn.Linear(4, 10)), *make_batch((3, 4)), ("numpy", STRICT))


# --- tolerances ----------------------------------------------------------------------------------


def test_tolerances_can_be_given() -> None:
    assert check_broken(Broken(lambda x: x + 0.01), atol=0.1).ok
    assert check_broken(Broken(lambda x: x * 1.001), rtol=0.1).ok
    assert not check_broken(Broken(lambda x: x + 0.01), rtol=1e-6, atol=1e-6).ok


@pytest.mark.parametrize(("dtype", "unit"), [("float32", 2.0**-24), ("float64", 2.0**-53)])
def test_tolerance_follows_dtype_and_terms(dtype: str, unit: float) -> None:
    model = nn.Linear(16, 10, rng=Stream(0)).to(dtype=dtype)
    row = parity_check(model, *make_batch((4, 16), dtype), ("numpy", STRICT)).rows[0]
    scale = row.tolerance / (8 * unit * (1 + math.sqrt(16)))
    assert scale == pytest.approx(float(np.max(np.abs(model(make_batch((4, 16), dtype)[0])))))


def test_an_error_of_one_part_in_a_thousand_does_not_pass() -> None:
    assert not check_broken(Broken(lambda x: x * 1.001)).ok


def test_gradients_that_are_only_rounding_pass(torch: Any) -> None:
    # The bias in front of a batch normalisation has no influence.
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, rng=Stream(0)),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Linear(144, 10, rng=Stream(0)),
    )
    report = parity_check(model, *make_batch(), ("numpy", "torch"))
    assert report.ok, str(report)
    bias = next(row for row in report.rows if row.name == "0.bias")
    assert bias.max_rel > 1e-3


def test_a_model_that_is_certain_passes(torch: Any) -> None:
    model = nn.Linear(10, 10, rng=Stream(0))
    model.update({"weight": 40 * np.eye(10, dtype=np.float32)})
    x = np.eye(10, dtype=np.float32)
    report = parity_check(model, x, np.arange(10), ("numpy", "torch"))
    assert report.ok, str(report)


def test_other_losses() -> None:
    x = make_batch((4, 6))[0]
    report = parity_check(nn.Linear(6, 3), x, x[:, :3], ("numpy", STRICT), loss="mse_loss")
    assert report.ok, str(report)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("backends", [(), ("numpy",), "numpy"])
def test_one_backend_is_too_few(backends: Any) -> None:
    with pytest.raises(ValueError, match="at least two backends"):
        parity_check(nn.Linear(4, 10), *make_batch((3, 4)), backends)


def test_a_backend_that_cannot_work_says_so() -> None:
    if missing("cupy") is None:
        pytest.skip("cupy works here")
    with pytest.raises(BackendError, match="cupy"):
        parity_check(nn.Linear(4, 10), *make_batch((3, 4)))


def test_an_input_of_another_dtype_is_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        parity_check(nn.Linear(4, 10), *make_batch((3, 4), "float64"), ("numpy", STRICT))


# --- the report ----------------------------------------------------------------------------------


def test_report_as_text_and_as_json() -> None:
    good, bad = check_broken(Broken()), check_broken(Broken(lambda x: x * math.nan))
    assert str(good).endswith(f"{len(good.rows)} of {len(good.rows)} within tolerance")
    assert f"numpy and {STRICT} differ: " in str(bad)
    assert "first in 2\nlikely cause: NaN" in str(bad)
    lines = str(good).splitlines()
    assert lines[0].split() == ["name", "kind", "shape", "max", "abs", "max", "rel", "allowed"]
    data = json.loads(json.dumps(bad.to_dict(), allow_nan=False))
    assert data["ok"] is False
    assert data["first_bad"] == "2"
    assert next(row for row in data["rows"] if row["name"] == "2")["max_abs"] is None


# --- distances and causes ------------------------------------------------------------------------


def test_distance() -> None:
    a = np.array([1.0, -4.0, math.nan, math.inf])
    found = distance(a, np.array([1.5, -4.0, math.nan, math.inf]))
    assert (found.max_abs, found.max_rel, found.scale) == (0.5, 0.125, 4.0)
    assert distance(a, np.array([1.0, -4.0, 0.0, math.inf])).max_abs == math.inf
    assert distance(a, np.array([1.0, -4.0, math.nan, -math.inf])).max_abs == math.inf
    assert distance(a, a[:3]).max_abs == math.inf
    assert distance(np.zeros(3), np.zeros(3)).max_rel == 0
    assert distance(np.zeros(3), np.ones(3)).max_rel == math.inf
    assert distance(np.zeros((0, 2)), np.zeros((0, 2))).max_abs == 0
    assert distance(np.array([True]), np.array([False])).max_abs == 1


NOISE = np.random.default_rng(7)
IMAGES = NOISE.standard_normal((2, 3, 6, 6))
MATRIX = NOISE.standard_normal((5, 5))


def bordered() -> np.ndarray:
    other = IMAGES.copy()
    other[:, :, 0, :] += 1.0
    return other


def with_one_more(array: np.ndarray) -> np.ndarray:
    other = array.copy()
    other.flat[3] += 1.0
    return other


@pytest.mark.parametrize(
    ("reference", "other", "cause"),
    [
        (MATRIX, MATRIX.astype("f4"), "dtype differs: float64 on a, float32 on b"),
        (MATRIX, MATRIX[:4], r"shape differs: \(5, 5\) on a, \(4, 5\) on b"),
        (IMAGES[0], np.moveaxis(IMAGES[0], 0, 2), r"axes are permuted: \(3, 6, 6\) on a"),
        (MATRIX, np.where(MATRIX > 1, np.nan, MATRIX), "NaN in .* of 25 elements on b"),
        (np.where(MATRIX > 1, np.inf, MATRIX), MATRIX, "infinity in .* on a"),
        (np.array([np.nan, 1.0]), np.array([1.0, np.nan]), "in other places"),
        (MATRIX, 0 * MATRIX, "all zero on b"),
        (0 * MATRIX, MATRIX, "all zero on a"),
        (MATRIX, MATRIX.T, r"axes are permuted: .* \(1, 0\)"),
        (IMAGES, np.swapaxes(IMAGES, 2, 3), r"axes are permuted: .* \(0, 1, 3, 2\)"),
        (
            IMAGES,
            IMAGES.reshape(-1).reshape(IMAGES.shape, order="F"),
            "memory read in another order",
        ),
        (IMAGES, np.flip(IMAGES, (2, 3)), r"reversed along axes \(2, 3\) \(convolution against"),
        (MATRIX, MATRIX / 64, "constant factor of 0.015625, so 64 or 1/64: a mean against a sum"),
        (MATRIX, -MATRIX, "constant factor of -1$"),
        (MATRIX, MATRIX * 1.1, "constant factor of 1.1$"),
        (MATRIX, MATRIX + 0.25, "constant offset of 0.25"),
        (IMAGES, bordered(), "only the outermost 1 rows and columns differ: padding"),
        (NOISE.random(500), None, "1 of 500 elements differ: a tie or a kink"),
        (MATRIX, MATRIX * (1 + 2e-6 * NOISE.random((5, 5))), "rounding, a little above tolerance"),
        (MATRIX, MATRIX * (1 + 1e-7 * NOISE.random((5, 5))), "float32 somewhere on the way"),
        (MATRIX, NOISE.standard_normal((5, 5)), "other values everywhere"),
    ],
)
def test_causes(reference: np.ndarray, other: np.ndarray | None, cause: str) -> None:
    other = with_one_more(reference) if other is None else other
    tolerance = 1e-6 if cause.startswith("rounding") else 1e-12
    with_names = likely_cause(reference, other, ("a", "b"), tolerance)
    assert re.search(cause, with_names), with_names


def test_causes_of_scalars_and_large_arrays() -> None:
    one = np.array(1.0)
    assert "factor of 3" in likely_cause(one, 3 * one, ("a", "b"), 1e-9)
    large = NOISE.random(1_100_000)
    assert "constant offset" in likely_cause(large, large + 1, ("a", "b"), 1e-9)


@pytest.mark.parametrize("other", ["numpy", STRICT])
def test_nan_agrees_with_nothing(other: str) -> None:
    x, y = make_batch()
    report = parity_check(digits_model(), x * np.float32("nan"), y, ("numpy", other))
    assert not report.ok
    assert report.cause.startswith("the reference itself holds NaN: NaN in ")
    assert report.cause.endswith(" elements on both backends")
    assert "agree" not in str(report)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": None}, TypeError, "model must be a Module, got NoneType"),
        ({"x": np.ones((0, 1, 8, 8), "f4")}, ValueError, r"x holds no numbers.*\(0, 1, 8, 8\)"),
        ({"rtol": -1}, ValueError, "rtol must be at least 0, got -1"),
        ({"atol": math.nan}, ValueError, "atol must be at least 0, got nan"),
    ],
)
def test_bad_arguments(change: dict[str, Any], error: type[Exception], message: str) -> None:
    x, y = make_batch()
    given = {"model": digits_model(), "x": x, "y": y, "backends": ("numpy", "numpy")} | change
    with pytest.raises(error, match=message):
        parity_check(**given)
