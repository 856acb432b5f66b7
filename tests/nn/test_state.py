"""`state_dict` and `load_state_dict`: PyTorch's keys, shapes and words, any library's arrays."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.nn.layers import placed
from tests.nn.networks import KEYS, small
from tests.refusals import refused
from xpconv import get_backend, nn


def torch_small(torch):
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3),
        torch.nn.BatchNorm2d(2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
    )


def test_weights_travel_to_pytorch_and_back(backend: Library, torch, rng) -> None:
    model, twin = placed(small(), backend, "float32"), torch_small(torch)
    x = rng.normal(size=(5, 1, 4, 4)).astype("float32")
    twin(torch.tensor(2 * x))  # moves the running statistics
    model.load_state_dict(twin.state_dict())
    twin.eval()
    backend.assert_close(model(backend.array(x)), twin(torch.tensor(x)).detach().numpy())
    model.forward(backend.array(3 * x), training=True)
    twin.load_state_dict({k: torch.tensor(host(v)) for k, v in model.state_dict().items()})
    backend.assert_close(model(backend.array(x)), twin(torch.tensor(x)).detach().numpy())
    for key, value in twin.state_dict().items():
        backend.assert_equal(model.state_dict()[key], value.numpy())


def test_state_of_any_library_can_be_loaded(backend: Library) -> None:
    source, target = small(), small()
    target.load_state_dict({k: backend.array(host(v)) for k, v in source.state_dict().items()})
    for key, value in target.state_dict().items():
        assert type(value) is np.ndarray
        np.testing.assert_array_equal(value, source.state_dict()[key])


def test_state_is_brought_to_the_models_place_and_dtype(backend: Library) -> None:
    model = small().to(backend.spec, "float64")
    source = small().state_dict()
    model.load_state_dict(source)
    for key, value in model.state_dict().items():
        assert backend.owns(value)
        assert dtype_name(value) == ("int64" if "tracked" in key else "float64")
        np.testing.assert_array_equal(host(value), source[key])


def test_dtypes_are_kept() -> None:
    model = small()
    other = {key: value.astype("float16") for key, value in model.state_dict().items()}
    model.load_state_dict(other)
    for key, value in model.state_dict().items():
        assert str(value.dtype) == ("int64" if "tracked" in key else "float32")
        np.testing.assert_array_equal(value, other[key].astype(value.dtype))


def test_plain_lists_and_numbers_can_be_loaded() -> None:
    model = nn.BatchNorm1d(2)
    model.load_state_dict(
        {
            "weight": [1.0, 2.0],
            "bias": (3, 4),
            "running_mean": np.zeros(2),
            "running_var": [1, 1],
            "num_batches_tracked": 7,
        }
    )
    np.testing.assert_array_equal(model.weight, np.float32([1, 2]))
    assert int(model.num_batches_tracked) == 7


@pytest.mark.parametrize("place", ["numpy", "torch", "array_api_strict:device1"])
def test_loaded_state_is_shared_with_nobody(place: str) -> None:
    """Writing into the one leaves the other alone, in the same library and dtype, too."""
    pytest.importorskip(place.partition(":")[0])
    source, target = small().to(place), small().to(place)
    target.load_state_dict(source.state_dict())
    for writer, reader in ((source, target), (target, source)):
        array = writer.state_dict()["0.weight"]
        array[0, 0, 0, 0] = 77.0
        assert float(host(reader.state_dict()["0.weight"])[0, 0, 0, 0]) != 77.0
        array[0, 0, 0, 0] = 0.0


def test_loaded_tensors_bring_no_graph_with_them(torch) -> None:
    layer = torch.nn.Linear(3, 2)
    for place in ("torch", "numpy"):
        model = nn.Linear(3, 2).to(place)
        model.load_state_dict(dict(layer.named_parameters()))
        for value in model.state_dict().values():
            assert not getattr(value, "requires_grad", False)
    x = torch.ones(1, 3)
    model = nn.Linear(3, 2).to("torch")
    model.load_state_dict(layer.state_dict(keep_vars=True))
    assert not model(x).requires_grad
    model.to("torch", "float64")
    assert not model.weight.requires_grad


def test_pytorchs_words(torch) -> None:
    """The same complaints in the same order, but for how sizes and quotes are written."""

    def plain(message: object) -> str:
        text = re.sub(r"torch\.Size\(\[([^\]]*)\]\)", r"(\1)", str(message).replace('"', "'"))
        return " ".join(text.replace(",)", ")").split())

    states = [
        {"weight": np.ones((2, 3))},
        {"weight": np.ones((2, 3)), "bias": np.ones(2), "scale": np.ones(1), "x.y": np.ones(1)},
        {"weight": np.ones((3, 2)), "bias": np.ones(4)},
        {"bias": np.ones(5), "stranger": np.ones(2)},
        {},
    ]
    for state in states:
        with pytest.raises(RuntimeError) as theirs:
            torch.nn.Linear(3, 2).load_state_dict({k: torch.tensor(v) for k, v in state.items()})
        with pytest.raises(nn.StateDictError) as ours:
            nn.Linear(3, 2).load_state_dict(state)
        assert plain(ours.value) == plain(theirs.value)


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    model = small()
    before = model.state_dict()
    copies = {key: value.copy() for key, value in before.items()}
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
        "Sequential",
        error=nn.StateDictError,
    ):
        model.load_state_dict(state)
    for key, value in model.state_dict().items():
        assert value is before[key]
        np.testing.assert_array_equal(value, copies[key])


@pytest.mark.parametrize("kind", [KeyError, ValueError, RuntimeError])
def test_the_error_is_what_people_catch(kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        nn.Linear(1, 1).load_state_dict({})
    assert "\\n" not in str(caught.value)
    assert str(caught.value).startswith("Error(s) in loading state_dict for Linear")


@pytest.mark.parametrize("state", [[1], None, "weights.safetensors", 3])
def test_what_is_no_mapping_is_refused(state) -> None:
    with refused("dict-like", type(state).__name__, error=TypeError):
        nn.Linear(1, 1).load_state_dict(state)


def test_loading_may_be_lenient_about_keys_and_never_about_sizes() -> None:
    model = small()
    before = model.state_dict()
    model.load_state_dict({"0.bias": np.full(2, 5.0), "stranger": np.ones(2)}, strict=False)
    np.testing.assert_array_equal(model.state_dict()["0.bias"], [5.0, 5.0])
    for key, value in model.state_dict().items():
        assert key == "0.bias" or value is before[key]
    state = {"0.weight": np.zeros((2, 1, 3, 3)), "0.bias": np.ones(3)}
    before = model.state_dict()
    with refused("size mismatch for 0.bias", "(3,)", "(2,)"):
        model.load_state_dict(state, strict=False)
    for key, value in model.state_dict().items():
        assert value is before[key]
    model.load_state_dict({}, strict=False)


def test_without_a_bias_none_is_expected() -> None:
    with refused("Unexpected key(s) in state_dict: 'bias'"):
        nn.Linear(1, 1, bias=False).load_state_dict({"weight": np.ones((1, 1)), "bias": np.ones(1)})


def test_a_loaded_model_goes_on_as_its_source_would(backend: Library, rng) -> None:
    source, target = placed(small(), backend), placed(small(), backend)
    x = backend.array(rng.normal(size=(5, 1, 4, 4)))
    source.forward(x, training=True)
    target.load_state_dict(source.state_dict())
    for _ in range(2):
        one, two = (model.forward(x, training=True)[0] for model in (source, target))
        backend.assert_equal(one, two)
    for key, value in source.state_dict().items():
        backend.assert_equal(target.state_dict()[key], value)


# --- moving ----------------------------------------------------------------------------------


def test_models_move(backend: Library, rng: np.random.Generator) -> None:
    model = small()
    x = rng.normal(size=(2, 1, 4, 4)).astype("float32")
    expected = model(x)
    assert model.to(backend.spec) is model
    assert model.backend == backend.backend
    assert list(model.state_dict()) == KEYS
    backend.assert_close(model(backend.array(x)), expected)
    model.to("numpy")
    np.testing.assert_array_equal(model(x), expected)
    assert str(model.backend) == "numpy"


def test_a_model_accepts_a_backend_value(backend: Library) -> None:
    assert small().to(backend.backend).backend == backend.backend
    assert small().to(backend=backend.spec).backend == backend.backend


def test_models_change_their_dtype_where_they_are(backend: Library) -> None:
    model = small().to(backend.spec)
    assert model.to(dtype="float64") is model
    assert model.backend == backend.backend
    for key, value in model.state_dict().items():
        assert dtype_name(value) == ("int64" if "tracked" in key else "float64")
    x = backend.array(np.zeros((2, 1, 4, 4)))
    y, backward = model.forward(x, training=True)
    _, grads = backward(y)
    assert {dtype_name(a) for a in (y, *grads.values(), model[1].running_var)} == {"float64"}
    model.to(dtype=backend.xp.float32)
    assert dtype_name(model[0].weight) == "float32"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_dtype_may_be_any_librarys(backend: Library, dtype: str) -> None:
    """Or is refused in words that say what to write instead."""
    for foreign in (np.dtype(dtype), getattr(np, dtype)):
        model, message = small(), None
        try:
            model.to(backend.spec, foreign)
        except TypeError as error:
            message = str(error)
        if message is None:
            assert dtype_name(model[0].weight) == dtype
        else:
            assert "dtype" in message
            assert "'float" in message


@pytest.mark.parametrize("dtype", ["int64", "bool", "bogus", "weight", ""])
def test_dtypes_that_are_not_floating_are_refused(dtype: str) -> None:
    model = small()
    before = model.state_dict()
    with pytest.raises((TypeError, ValueError), match="floating") as caught:
        model.to(dtype=dtype)
    assert repr(dtype) in str(caught.value)
    for key, value in model.state_dict().items():
        assert value is before[key]


def test_a_backend_that_does_not_exist_changes_nothing() -> None:
    model = small()
    before = model.state_dict()
    with refused("'tensorflow'", "'numpy'"):
        model.to("tensorflow")
    for key, value in model.state_dict().items():
        assert value is before[key]
    assert model.to() is model
    assert nn.ReLU().to("numpy", "float64").state_dict() == {}
    assert get_backend() == get_backend("numpy")
