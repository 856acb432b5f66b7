"""`Module`: state, keys, moving, loading, observing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.refusals import refused
from xpconv import get_backend, nn


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)
    )


KEYS = [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "1.running_mean",
    "1.running_var",
    "1.num_batches_tracked",
    "4.weight",
    "4.bias",
]


class Doubling(nn.Module):
    """A layer as a user writes one: a list of layers, an array, a buffer, plain options."""

    buffer_names = ("calls",)

    def __init__(self) -> None:
        self.calls = np.zeros(())
        self.scale = np.ones(3)
        self.blocks = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.option = "plain"
        self._hidden = np.ones(7)

    def forward(self, x, training=False):
        backs = []
        for block in self.blocks:
            x, back = block.forward(x, training=training)
            backs.append(back)

        def backward(dy):
            grads = {"scale": (dy * x).sum(0)}
            dy = dy * self.scale
            for i in (1, 0):
                dy, inner = backs[i](dy)
                grads |= {f"blocks.{i}.{key}": value for key, value in inner.items()}
            return dy, grads

        return x * self.scale, backward


def test_state_has_pytorchs_keys_in_pytorchs_order() -> None:
    model = small()
    assert list(model.state_dict()) == KEYS
    buffers = [key for key in KEYS if "running" in key or "tracked" in key]
    assert list(model.buffers()) == buffers
    assert list(model.parameters()) == [key for key in KEYS if key not in buffers]
    assert model.num_parameters == 18 + 2 + 4 + 24 + 3


def test_a_users_own_layer() -> None:
    model = Doubling()
    assert list(model.state_dict()) == [
        "scale",
        "calls",
        "blocks.0.weight",
        "blocks.0.bias",
        "blocks.1.weight",
        "blocks.1.bias",
    ]
    assert list(model.buffers()) == ["calls"]
    assert list(model.children()) == ["blocks.0", "blocks.1"]
    model.to(dtype="float64")
    x = np.ones((2, 3))
    y, backward = model.forward(x)
    np.testing.assert_array_equal(model(x), y)
    assert set(backward(y)[1]) == set(model.parameters())


def test_a_layer_without_a_forward_says_so() -> None:
    class Nothing(nn.Module):
        pass

    with pytest.raises(TypeError, match="Nothing defines no forward"):
        Nothing()(np.ones(2))


def test_state_of_any_library_can_be_loaded(backend: Library) -> None:
    source, target = small(), small()
    target.load_state_dict({k: backend.array(host(v)) for k, v in source.state_dict().items()})
    for key, value in target.state_dict().items():
        assert type(value) is np.ndarray
        np.testing.assert_array_equal(value, source.state_dict()[key])


def test_state_is_brought_to_the_models_place_and_dtype(backend: Library) -> None:
    model = small().to(backend.spec, "float64")
    model.load_state_dict({key: host(value) for key, value in small().state_dict().items()})
    for key, value in model.state_dict().items():
        assert backend.owns(value)
        assert dtype_name(value) == ("int64" if "tracked" in key else "float64")


def test_loaded_state_is_shared_with_nobody() -> None:
    source, target = small(), small()
    target.load_state_dict(source.state_dict())
    source.state_dict()["0.weight"][...] = 7
    assert np.all(target.state_dict()["0.weight"] != 7)


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    model = small()
    before = {key: value.copy() for key, value in model.state_dict().items()}
    state = {key: value + 1 for key, value in model.state_dict().items()}
    del state["4.bias"], state["1.running_mean"]
    state["0.weight"] = np.ones((2, 1, 5, 5))
    state["stranger"] = np.ones(2)
    with refused(
        "Missing key(s) in state_dict: '1.running_mean', '4.bias'",
        "Unexpected key(s) in state_dict: 'stranger'",
        "size mismatch for 0.weight",
        "(2, 1, 5, 5)",
        "(2, 1, 3, 3)",
        error=nn.StateDictError,
    ):
        model.load_state_dict(state)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    for kind in (KeyError, ValueError, RuntimeError):
        assert issubclass(nn.StateDictError, kind)


def test_loading_may_be_lenient_about_keys_and_never_about_sizes() -> None:
    model = small()
    bias = model.state_dict()["4.bias"]
    model.load_state_dict({"0.bias": np.full(2, 5.0), "stranger": np.ones(2)}, strict=False)
    np.testing.assert_array_equal(model.state_dict()["0.bias"], [5.0, 5.0])
    assert model.state_dict()["4.bias"] is bias
    with refused("size mismatch for 0.bias"):
        model.load_state_dict({"0.bias": np.ones(3)}, strict=False)


def test_models_move(backend: Library, rng: np.random.Generator) -> None:
    model = small()
    x = rng.normal(size=(2, 1, 4, 4)).astype("float32")
    expected = model(x)
    moved = model.to(backend.spec)
    assert moved is model
    assert model.backend == backend.backend
    backend.assert_close(model(backend.array(x)), expected)
    model.to("numpy")
    np.testing.assert_array_equal(model(x), expected)
    assert str(model.backend) == "numpy"


def test_a_model_accepts_a_backend_value(backend: Library) -> None:
    assert small().to(backend.backend).backend == backend.backend


def test_models_change_their_dtype() -> None:
    model = small().to(dtype="float64")
    assert {str(p.dtype) for p in model.parameters().values()} == {"float64"}
    assert model.state_dict()["1.num_batches_tracked"].dtype == np.int64
    assert model(np.zeros((1, 1, 4, 4))).dtype == np.float64


def test_an_input_on_another_library_is_told_apart() -> None:
    pytest.importorskip("array_api_strict")
    model = small().to("array_api_strict:device1")
    with pytest.raises(TypeError, match="numpy"):
        model(np.zeros((1, 1, 4, 4), "float32"))


def test_an_input_of_another_dtype_is_told_apart() -> None:
    with refused("float64", "float32", error=TypeError):
        small()(np.zeros((1, 1, 4, 4)))


def test_update_replaces_by_name() -> None:
    model = small()
    model.update({"0.bias": np.full(2, 3.0, "float32")})
    np.testing.assert_array_equal(model[0].bias, [3.0, 3.0])
    with pytest.raises(KeyError, match=r"9\.bias"):
        model.update({"9.bias": np.ones(2)})


def test_a_model_without_state_lives_nowhere() -> None:
    assert nn.Sequential(nn.ReLU(), nn.Flatten()).backend is None
    assert nn.ReLU().num_parameters == 0
    assert nn.ReLU().to("numpy").state_dict() == {}


def test_observers_see_every_layer_from_the_inside_out(rng: np.random.Generator) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Residual(nn.ReLU()))
    x = rng.normal(size=(4, 3)).astype("float32")
    for call in (
        model,
        lambda x: model.forward(x)[0],
        lambda x: model.forward(x, training=True)[0],
    ):
        seen = []
        with nn.observe(
            lambda module, inputs, output, seen=seen: seen.append((module, inputs, output))
        ):
            y = call(x)
        kinds = [type(module).__name__ for module, _, _ in seen]
        assert kinds == ["Linear", "ReLU", "Residual", "Sequential"]
        assert seen[0][1][0] is x
        assert seen[-1][2] is y
        model(x)
        assert len(seen) == 4  # the block has ended


def test_observers_are_given_arrays_alone() -> None:
    seen = []
    with nn.observe(lambda module, inputs, output: seen.append(inputs)):
        nn.ReLU().forward(np.ones(2), True)
    assert [len(inputs) for inputs in seen] == [1]


def test_a_layer_that_calls_its_parents_forward_is_seen_once() -> None:
    class Scaled(nn.Linear):
        def forward(self, x, training=False):
            y, back = super().forward(x, training=training)
            return 2 * y, lambda dy: back(2 * dy)

        def infer(self, x):
            return 2 * super().infer(x)

    layer, seen = Scaled(3, 2), []
    with nn.observe(lambda module, inputs, output: seen.append(output)):
        y, _ = layer.forward(np.ones((1, 3), "float32"))
        assert len(seen) == 1
        assert seen[0] is y
        layer(np.ones((1, 3), "float32"))
    assert len(seen) == 2


def test_repr_shows_the_tree() -> None:
    text = repr(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Residual(nn.ReLU())))
    for line in (
        "Sequential(",
        "(0): Conv2d(1, 2, kernel_size=(3, 3), padding=1)",
        "(body): ReLU()",
    ):
        assert line in text


def test_random_weights_come_from_the_given_stream() -> None:
    from xpconv.random import Stream, use_stream

    one = nn.Conv2d(2, 3, 3, rng=Stream(8)).state_dict()
    with use_stream(Stream(8)):
        two = nn.Conv2d(2, 3, 3).state_dict()
    for key, value in one.items():
        np.testing.assert_array_equal(value, two[key])


def test_weights_are_drawn_as_pytorch_draws_them() -> None:
    for layer, fan_in in ((nn.Conv2d(8, 64, 3, groups=2), 36), (nn.Linear(100, 200), 100)):
        bound = 1 / fan_in**0.5
        for array in layer.state_dict().values():
            assert np.max(np.abs(array)) <= bound
            assert np.max(np.abs(array)) > 0.9 * bound
            assert abs(np.mean(array)) < 0.1 * bound + 1 / array.size


def test_the_backend_of_the_block_is_where_layers_are_born() -> None:
    from xpconv import use_backend

    pytest.importorskip("array_api_strict")
    with use_backend("array_api_strict:device1"):
        model = small()
    assert model.backend == get_backend("array_api_strict:device1")
