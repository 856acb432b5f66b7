"""Checkpoints: what goes in comes out, damage is found, and a kill leaves the old file whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpconv import checkpoint

pytest.importorskip("safetensors")

DTYPES = [
    *("float16", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.safetensors"


def same(one: Any, other: Any) -> bool:
    """Equal in value and type, arrays to the last bit."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and (one.dtype, one.shape) == (other.dtype, other.shape)
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"empty": {}, "list": [], "deep": {"er": {"still": [[{}]]}}},
        {"none": None, "yes": True, "no": False, "text": 'é\n"{}"\\ 漢 \ud83d', "": ""},
        {"int": 0, "huge": 2**128 + 1, "negative": -(2**200)},
        {"float": 0.1, "tiny": 5e-324, "minus": -0.0, "one": 1.0, "big": 1.7976931348623157e308},
        {"inf": float("inf"), "minus": float("-inf"), "nan": float("nan")},
        {"$array": "mine", "$float": "inf", "$$": {"$": 1}},
        {"zero-d": np.array(3.5), "empty": np.zeros((0, 3)), "scalar": np.array(True)},
        {"a/b": np.ones(1), "a": {"b": np.zeros(2)}, "a~1b": np.ones(3), "a~0": {"": np.ones(4)}},
        {"__metadata__": np.ones(1)},
        {"list": [np.ones(1), [np.zeros(2), {"a": np.ones(3)}]]},
    ],
)
def test_round_trip(path: Path, value: dict[str, Any]) -> None:
    checkpoint.save(path, value)
    assert same(checkpoint.load(path), value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(path: Path, dtype: str) -> None:
    x = np.arange(-3, 3).astype(dtype)
    state = {"x": x, "zero": np.array(x[1]), "none": x[:0]}
    checkpoint.save(path, state)
    assert same(checkpoint.load(path), state)


@pytest.mark.parametrize("layout", ["C", "channels_last", "strided"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_every_library_and_layout(backend: Any, path: Path, dtype: str, layout: str) -> None:
    """Memory order is not in the file: a permuted array must not come back scrambled."""
    values = np.arange(120).reshape(2, 3, 4, 5).astype(dtype)
    checkpoint.save(path, {"x": backend.array(values, layout=layout)})
    assert same(checkpoint.load(path), {"x": values})


def test_numpy_scalars_come_back_as_arrays(path: Path) -> None:
    checkpoint.save(path, {"x": np.float64(0.1), "n": np.int64(3), "f": np.float32(0.1)})
    expected = {"x": np.array(0.1), "n": np.array(3), "f": np.array(0.1, dtype=np.float32)}
    assert same(checkpoint.load(path), expected)


def test_foreign_byte_order(path: Path) -> None:
    checkpoint.save(path, {"x": np.arange(3, dtype=">f4")})
    assert same(checkpoint.load(path), {"x": np.arange(3, dtype=np.float32)})


def test_bfloat16_is_kept_exactly_as_float32(torch: Any, path: Path) -> None:
    x = torch.tensor([1.0, 3.140625, -1e30, float("inf")], dtype=torch.bfloat16)
    checkpoint.save(path, {"x": x})
    assert same(checkpoint.load(path), {"x": x.float().numpy()})


def test_tuples_come_back_as_lists(path: Path) -> None:
    checkpoint.save(path, {"betas": (0.9, 0.999)})
    assert checkpoint.load(path) == {"betas": [0.9, 0.999]}


def test_generator_states(path: Path) -> None:
    """Their 128-bit integers and their arrays come back, and so does the next number."""
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        generator = np.random.Generator(kind(5))
        generator.standard_normal(7)
        checkpoint.save(path, {"state": generator.bit_generator.state})
        other = np.random.Generator(kind(6))
        other.bit_generator.state = checkpoint.load(path)["state"]
        assert generator.standard_normal() == other.standard_normal()


def test_loaded_arrays_belong_to_the_caller(path: Path) -> None:
    checkpoint.save(path, {"x": np.zeros(3)})
    state = checkpoint.load(path)
    state["x"] += 1
    assert checkpoint.load(path)["x"].sum() == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {"b": [1, object()]}}, r"state at /a/b/1 is a object"),
        ({"a": {1: 2}}, r"state at /a has 1"),
        ({2: 2}, r"state at / has 2"),
        ({"a": b"bytes"}, "state at /a is a bytes"),
        ({"a": {1, 2}}, "state at /a is a set"),
        ({"a": np.array(["text"])}, "state at /a has dtype <U4, which a checkpoint cannot hold"),
        ({"a": np.array([None])}, "state at /a has dtype object"),
    ],
)
def test_what_does_not_fit_is_refused(path: Path, value: dict[Any, Any], message: str) -> None:
    checkpoint.save(path, {"old": 1})
    with pytest.raises(TypeError, match=message):
        checkpoint.save(path, value)
    assert checkpoint.load(path) == {"old": 1}
    assert list(path.parent.iterdir()) == [path]


# --- damage ---------------------------------------------------------------------------------------


def a_checkpoint(path: Path) -> bytes:
    checkpoint.save(path, {"model": {"w": np.arange(3.0)}, "text": "é", "n": [1, None, 0.5]})
    return path.read_bytes()


def test_every_flipped_byte_is_found(path: Path) -> None:
    whole = a_checkpoint(path)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF if position % 2 else 0x01
        path.write_bytes(damaged)
        with pytest.raises(checkpoint.CheckpointError, match=r"state\.safetensors"):
            checkpoint.load(path)


def test_every_truncation_is_found(path: Path) -> None:
    whole = a_checkpoint(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(checkpoint.CheckpointError, match=r"state\.safetensors"):
            checkpoint.load(path)


@pytest.mark.parametrize(
    "contents", [b"", b"text\n" * 99, b"\x89PNG\r\n\x1a\n" + bytes(99), b"PK\x03\x04" + bytes(99)]
)
def test_foreign_files(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    for load in (checkpoint.load, checkpoint.load_weights, checkpoint.load_metadata):
        with pytest.raises(checkpoint.CheckpointError, match="is not a whole safetensors file"):
            load(path)


def test_a_weights_file_is_not_a_checkpoint(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"w": np.ones(1)}, path)
    with pytest.raises(checkpoint.CheckpointError, match="load_weights"):
        checkpoint.load(path)


def test_a_later_format(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({}, path, metadata={"xpconv": "99", "state": "{}"})
    with pytest.raises(checkpoint.CheckpointError, match="has format '99'"):
        checkpoint.load(path)


def test_no_file(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoint.load(path)
    with pytest.raises(checkpoint.CheckpointError, match="is a directory"):
        checkpoint.load(tmp_path)


def test_a_checkpoint_error_is_a_value_error() -> None:
    assert issubclass(checkpoint.CheckpointError, ValueError)


def test_without_safetensors(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: checkpoint.save(path, {}), lambda: checkpoint.load(path)):
        with pytest.raises(ImportError, match=r"pip install 'xpconv\[train\]'"):
            call()


# --- all at once or not at all --------------------------------------------------------------------


def test_a_failing_write_leaves_the_old_file_and_no_litter(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(path, {"n": 1})
    for where in ("os.fsync", "pathlib.Path.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(where, fails)
            with pytest.raises(OSError, match="No space left"):
                checkpoint.save(path, {"n": 2})
        assert checkpoint.load(path) == {"n": 1}
        assert list(path.parent.iterdir()) == [path]


def fails(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        checkpoint.save(tmp_path / "none" / "state.safetensors", {"n": 1})


def test_a_write_that_safetensors_gives_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors
    import safetensors.numpy

    def gives_up(*_: Any, **__: Any) -> None:
        raise safetensors.SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", gives_up)
    with pytest.raises(OSError, match=r"cannot write .*state\.safetensors: .*No space left"):
        checkpoint.save(path, {"n": 1})
    assert list(path.parent.iterdir()) == []


KILLED = """
import os, signal, sys
import numpy as np
from xpconv import checkpoint

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

{where} = die
checkpoint.save(sys.argv[1], {{"n": 2, "w": np.ones(100_000)}})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("where", ["os.fsync", "os.replace"])
def test_a_kill_while_saving_leaves_the_old_file(path: Path, where: str) -> None:
    """Before the bytes are on the disk, and with all of them there but under the other name."""
    checkpoint.save(path, {"n": 1})
    script = KILLED.format(where=where)
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path.cwd(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert checkpoint.load(path) == {"n": 1}
    checkpoint.save(path, {"n": 3})
    assert checkpoint.load(path) == {"n": 3}


def test_nothing_is_executed(path: Path) -> None:
    """The file is JSON and raw numbers: it can be read in full without this library."""
    a_checkpoint(path)
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    assert json.loads(header["__metadata__"]["state"])["n"] == [1, None, 0.5]
    start, end = header["/model/w"]["data_offsets"]
    body = raw[8 + size :]
    np.testing.assert_array_equal(np.frombuffer(body[start:end]), [0.0, 1.0, 2.0])


# --- weights --------------------------------------------------------------------------------------


class Weights:
    """The least that is asked of a model."""

    def __init__(self, **arrays: Any) -> None:
        self.arrays = arrays

    def state_dict(self) -> dict[str, Any]:
        return self.arrays


def test_weights_on_every_library(backend: Any, path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    model = Weights(w=backend.array(values, layout="channels_last"), n=backend.array(7))
    checkpoint.save_weights(path, model, metadata={"model": "lenet5"})
    assert same(
        dict(sorted(checkpoint.load_weights(path).items())), {"n": np.array(7), "w": values}
    )
    assert checkpoint.load_metadata(path) == {"format": "pt", "model": "lenet5"}


def test_weights_of_a_state_dict(path: Path) -> None:
    state = {"weight": np.ones((2, 3), np.float32)}
    checkpoint.save_weights(path, state)
    assert same(checkpoint.load_weights(path), state)


@pytest.mark.parametrize("model", [None, 3, np.ones(2)])
def test_weights_of_nothing(path: Path, model: Any) -> None:
    with pytest.raises(TypeError, match=r"model must be a Module or a state_dict, got "):
        checkpoint.save_weights(path, model)
    assert not path.exists()


def test_weights_load_in_pytorch(torch: Any, path: Path, rng: np.random.Generator) -> None:
    from safetensors.torch import load_file

    twin = torch.nn.Linear(3, 2)
    weights = {"weight": rng.random((2, 3)).astype("f4"), "bias": rng.random(2).astype("f4")}
    checkpoint.save_weights(path, Weights(**weights))
    twin.load_state_dict(load_file(path))
    np.testing.assert_array_equal(twin.weight.detach().numpy(), weights["weight"])


def test_pytorchs_weights_load(torch: Any, path: Path) -> None:
    """In bfloat16 too, which NumPy lacks."""
    from safetensors.torch import save_file

    x = torch.tensor([[1.0, 3.140625], [-1e30, float("inf")]])
    save_file({"bf16": x.bfloat16(), "f32": x, "zero": x[0, 0].bfloat16()}, path)
    loaded = checkpoint.load_weights(path)
    assert same(loaded["f32"], x.numpy())
    assert same(loaded["bf16"], x.bfloat16().float().numpy())
    assert same(loaded["zero"], np.array(1.0, dtype=np.float32))


def test_dtypes_that_numpy_lacks(torch: Any, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2, dtype=torch.float8_e5m2)}, path)
    with pytest.raises(checkpoint.CheckpointError, match="w has dtype F8_E5M2"):
        checkpoint.load_weights(path)


def test_a_checkpoint_is_not_a_weights_file(path: Path) -> None:
    checkpoint.save(path, {})
    with pytest.raises(checkpoint.CheckpointError, match=r"holds a whole checkpoint"):
        checkpoint.load_weights(path)


def test_complex128_weights(path: Path) -> None:
    with pytest.raises(TypeError, match="w has dtype complex128"):
        checkpoint.save_weights(path, Weights(w=np.zeros(2, dtype=complex)))


@pytest.mark.parametrize("name", [".", "..", "directory"])
def test_a_directory_is_not_written_over(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "directory").mkdir()
    monkeypatch.chdir(tmp_path)
    for write in (checkpoint.save, lambda path, _: checkpoint.save_weights(path, Weights())):
        with pytest.raises(IsADirectoryError, match=f"cannot write {name}: it is a directory"):
            write(name, {"n": 1})
    assert list(tmp_path.iterdir()) == [tmp_path / "directory"]


def test_equal_contents_give_equal_files(path: Path) -> None:
    metadata = {name: f'"{name}" \\ \n\x01\x7f é 猫' for name in ("a", "é", 'z"', "m\n", "k")}
    model = Weights(w=np.arange(3.0), v=np.ones((2, 2), "float32"))
    contents = set()
    for _ in range(20):
        checkpoint.save_weights(path, model, metadata)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert checkpoint.load_metadata(path) == {"format": "pt", **metadata}
    assert same(checkpoint.load_weights(path)["w"], np.arange(3.0))
