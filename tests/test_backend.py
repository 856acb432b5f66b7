"""The backend selector: names, errors, the environment, blocks, threads, moving arrays."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import logging
import pickle
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import xpconv
from tests.backends import Library, dtype_name, host
from tests.refusals import refused
from xpconv import BackendError, backend as selector
from xpconv.backend import explain_auto, get_backend, use_backend


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """What was found out about this machine is found out anew in each test."""

    def forget() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("xpconv.") and "." not in name.removeprefix("xpconv."):
                for value in vars(module).values():
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    forget()
    yield
    forget()


# --- names -----------------------------------------------------------------------------------


def test_numpy_is_the_default() -> None:
    backend = get_backend()
    assert (backend.name, str(backend)) == ("numpy", "numpy")
    assert backend.asarray([1.0]).__class__ is np.ndarray


def test_a_name_and_its_backend_mean_the_same(backend: Library) -> None:
    chosen = get_backend(backend.spec)
    assert str(chosen) == backend.spec
    assert chosen.name == backend.spec.partition(":")[0]
    assert get_backend(str(chosen)) == chosen
    assert get_backend(chosen) is chosen
    assert hash(get_backend(str(chosen))) == hash(chosen)
    assert chosen.xp is backend.xp
    assert chosen.device == backend.device


def test_a_backend_is_a_value() -> None:
    backend = get_backend("numpy")
    with pytest.raises(dataclasses.FrozenInstanceError):
        backend.name = "cupy"


@pytest.mark.parametrize("name", ["tensorflow", "", "Numpy", "gpu", "cuda:0", "auto:1"])
def test_unknown_names_are_answered_with_the_known_ones(name: str) -> None:
    with refused(repr(name), "'numpy'", "'cupy'", "'torch'", "'array_api_strict'", "'auto'"):
        get_backend(name)


@pytest.mark.parametrize("name", ["numpy:1", "numpy:gpu", "cupy:x", "cupy:-1", "torch:gpu"])
def test_unknown_devices_are_named(name: str) -> None:
    if name.startswith("torch"):
        pytest.importorskip("torch")
    with refused(repr(name.partition(":")[2])):
        get_backend(name)


@pytest.mark.parametrize("value", [3, 1.5, ["numpy"], np])
def test_a_backend_is_not_just_anything(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        get_backend(value)


# --- what cannot work ------------------------------------------------------------------------


class FakeDevice:
    def __init__(self, number: int) -> None:
        self.id = number

    def __enter__(self) -> FakeDevice:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeDevice) and other.id == self.id

    def __hash__(self) -> int:
        return self.id


class FakeArray:
    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure

    def __add__(self, _: object) -> FakeArray:
        return self

    def __matmul__(self, _: object) -> FakeArray:
        if self.failure:
            raise self.failure
        return self


@pytest.fixture
def fake_cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a make-believe CuPy in the place of the real one."""

    def install(
        count: int | Exception = 1,
        cublas: Exception | None = None,
        nvrtc: Exception | None = None,
    ) -> ModuleType:
        def device_count() -> int:
            if isinstance(count, Exception):
                raise count
            return count

        def ones(*_: object) -> FakeArray:
            if nvrtc:
                raise nvrtc
            return FakeArray(None)

        cupy = ModuleType("cupy")
        cupy.__spec__ = ModuleSpec("cupy", None)
        runtime = SimpleNamespace(
            getDeviceCount=device_count,
            deviceSynchronize=lambda: None,
            memGetInfo=lambda: (10, 30),
        )
        cupy.cuda = SimpleNamespace(
            runtime=runtime,
            Device=FakeDevice,
            compiler=SimpleNamespace(CompileException=type("CompileException", (Exception,), {})),
            get_current_stream=lambda: SimpleNamespace(synchronize=lambda: None),
        )
        cupy.ones, cupy.eye = ones, lambda *_: FakeArray(cublas)
        cupy.asarray = cupy.zeros = ones
        namespace = ModuleType("array_api_compat.cupy")
        namespace.__spec__ = ModuleSpec("array_api_compat.cupy", None)
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.setitem(sys.modules, "array_api_compat.cupy", namespace)
        return cupy

    return install


@pytest.fixture
def no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.mark.usefixtures("no_cupy")
def test_cupy_that_is_missing_says_what_to_install() -> None:
    with refused("cupy", "pip install", "cupy-cuda13x[ctk]", error=BackendError):
        get_backend("cupy")
    assert "cupy" not in xpconv.available_backends()


@pytest.mark.parametrize("package", ["torch", "array_api_strict"])
def test_other_libraries_that_are_missing(monkeypatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with refused(package, "pip install", error=BackendError):
        get_backend(package)
    assert package not in xpconv.available_backends()


def test_cupy_without_a_driver(fake_cupy: Any) -> None:
    fake_cupy(count=RuntimeError("cudaErrorInsufficientDriver: no driver here"))
    with refused("driver", "no driver here", "nvidia-smi", error=BackendError):
        get_backend("cupy")


def test_cupy_without_a_device(fake_cupy: Any) -> None:
    fake_cupy(count=0)
    with refused("no CUDA device", error=BackendError):
        get_backend("cupy")


def test_cupy_with_too_few_devices(fake_cupy: Any) -> None:
    fake_cupy(count=2)
    with refused("2 CUDA device", "5", error=BackendError):
        get_backend("cupy:5")


@pytest.mark.parametrize(
    "broken",
    [
        {"cublas": ImportError("libcublas.so.12: cannot open shared object file")},
        {"cublas": RuntimeError("CUBLAS_STATUS_NOT_INITIALIZED")},
        {"nvrtc": RuntimeError("libnvrtc.so not found")},
        {"nvrtc": ImportError("libnvrtc.so not found")},
    ],
    ids=str,
)
def test_cupy_without_its_libraries(fake_cupy: Any, broken: dict[str, Exception]) -> None:
    fake_cupy(**broken)
    ((kind, error),) = broken.items()
    with refused(str(error), "pip install", error=BackendError):
        get_backend("cupy")
    assert kind in explain_auto()[1].lower()


def test_the_device_number_is_heeded(fake_cupy: Any) -> None:
    fake_cupy(count=3)
    assert [get_backend(name).device.id for name in ("cupy", "cupy:0", "cupy:2")] == [0, 0, 2]
    assert str(get_backend("cupy:2")) == "cupy:2"
    assert str(get_backend("cupy")) == "cupy:0"
    assert get_backend("cupy") == get_backend("cupy:0") != get_backend("cupy:1")
    second = get_backend("cupy:1")
    info = second.memory_info()
    assert (info.used, info.free, info.total) == (20, 10, 30)
    second.synchronize()
    with second.context() as current:
        assert current == second.device


# --- auto ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_cupy")
def test_auto_falls_back_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="xpconv"):
        assert str(get_backend("auto")) == "numpy"
        assert str(get_backend("auto")) == "numpy"
    (record,) = caplog.records
    assert record.name == "xpconv"
    assert record.levelno == logging.WARNING
    assert "numpy" in record.getMessage()
    assert "cupy" in record.getMessage()


@pytest.mark.usefixtures("no_cupy")
def test_auto_explains_itself() -> None:
    spec, reason = explain_auto()
    assert spec == "numpy"
    assert "cupy" in reason
    assert "not installed" in reason


def test_auto_falls_back_when_cupy_is_there_and_no_gpu_is(fake_cupy: Any) -> None:
    fake_cupy(count=RuntimeError("cudaErrorNoDevice"))
    spec, reason = explain_auto()
    assert spec == "numpy"
    assert "cudaErrorNoDevice" in reason
    assert str(get_backend("auto")) == "numpy"


def test_auto_takes_the_gpu(fake_cupy: Any, caplog: pytest.LogCaptureFixture) -> None:
    fake_cupy()
    assert get_backend(explain_auto()[0]).name == "cupy"
    assert str(get_backend("auto")) == "cupy:0"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_explicit_cupy_never_falls_back(fake_cupy: Any) -> None:
    fake_cupy(count=0)
    get_backend("auto")
    with pytest.raises(BackendError), use_backend("cupy"):
        pass


# --- the environment and blocks --------------------------------------------------------------


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("array_api_strict")
    monkeypatch.setenv("XPCONV_BACKEND", "array_api_strict:device1")
    assert str(get_backend()) == "array_api_strict:device1"
    assert str(get_backend("numpy")) == "numpy"  # what is asked for wins
    with use_backend("numpy"):
        assert str(get_backend()) == "numpy"  # and so does a block


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_environment_is_none(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", empty)
    assert str(get_backend()) == "numpy"


def test_a_wrong_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", "gpu")
    with refused("gpu"):
        get_backend()


def test_blocks_nest_and_end() -> None:
    pytest.importorskip("array_api_strict")
    with use_backend("array_api_strict") as outer:
        assert get_backend() == outer
        with use_backend("numpy") as inner:
            assert str(get_backend()) == str(inner) == "numpy"
        assert get_backend() == outer
        with pytest.raises(ZeroDivisionError), use_backend("numpy"):
            _ = 1 / 0
        assert get_backend() == outer
    assert str(get_backend()) == "numpy"


def test_a_block_takes_a_backend(backend: Library) -> None:
    with use_backend(backend.backend) as chosen:
        assert chosen == backend.backend == get_backend()


def test_threads_have_blocks_of_their_own() -> None:
    pytest.importorskip("array_api_strict")
    seen = {}

    def look(name: str) -> None:
        seen[name] = str(get_backend())

    with use_backend("array_api_strict:device1"):
        thread = threading.Thread(target=look, args=("thread",))
        thread.start()
        thread.join()
        look("here")
    assert seen == {"thread": "numpy", "here": "array_api_strict:device1"}


def test_tasks_have_blocks_of_their_own() -> None:
    pytest.importorskip("array_api_strict")

    async def task(name: str) -> str:
        with use_backend(name):
            await asyncio.sleep(0)
            return str(get_backend())

    async def both() -> list[str]:
        return await asyncio.gather(task("numpy"), task("array_api_strict:device1"))

    assert asyncio.run(both()) == ["numpy", "array_api_strict:device1"]


# --- moving arrays ---------------------------------------------------------------------------


def test_there_and_back(backend: Library, rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4))
    here = backend.backend.asarray(x)
    backend.assert_equal(here, x)
    for back in (xpconv.to_numpy(here), backend.backend.to_numpy(here)):
        assert type(back) is np.ndarray
        np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("other", ["numpy", "torch", "array_api_strict:device1"])
def test_from_any_library_to_any(backend: Library, rng, other: str) -> None:
    pytest.importorskip(other.partition(":")[0])
    x = rng.normal(size=(3, 4)).astype("float32")
    there = get_backend(other).asarray(backend.array(x))
    assert str(xpconv.backend_of(there)) == str(get_backend(other))
    backend.assert_equal(backend.backend.asarray(there), x)


@pytest.mark.parametrize("layout", ["C", "channels_last", "strided"])
def test_layout_does_not_matter(backend: Library, rng, layout: str) -> None:
    x = rng.normal(size=(2, 3, 4))
    np.testing.assert_array_equal(xpconv.to_numpy(backend.array(x, layout=layout)), x)
    backend.assert_equal(backend.backend.asarray(np.moveaxis(x, 0, -1)), np.moveaxis(x, 0, -1))


def test_what_is_here_is_not_copied(backend: Library) -> None:
    x = backend.array([1.0, 2.0])
    assert backend.backend.asarray(x) is x
    assert backend.backend.asarray(x, dtype="float64") is x


def test_libraries_do_not_share_memory() -> None:
    for name in xpconv.available_backends():
        if name == "numpy":
            continue
        source = np.ones(3)
        there = get_backend(name).asarray(source)
        source[0] = 7
        assert host(there)[0] == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "bool"])
def test_dtypes_by_name_and_by_value(backend: Library, dtype: str) -> None:
    chosen = backend.backend
    for wanted in (dtype, getattr(chosen.xp, dtype)):
        assert dtype_name(chosen.asarray([0, 1], dtype=wanted)) == dtype
        assert dtype_name(chosen.asarray(backend.array([0, 1]), dtype=wanted)) == dtype
    kept = chosen.asarray(np.array([0, 1], dtype))
    assert dtype_name(kept) == dtype


@pytest.mark.parametrize("value", [2, 2.5, np.float64(2.5), np.int64(2), np.array(2.5)])
def test_single_numbers_become_arrays(backend: Library, value: object) -> None:
    for dtype in (None, "float32"):
        array = backend.backend.asarray(value, dtype=dtype)
        assert not isinstance(array, np.generic)
        assert backend.owns(array)
        assert array.shape == ()
        assert float(array) == value


def test_an_unknown_dtype_is_named(backend: Library) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError), match="float33"):
        backend.backend.asarray([1.0], dtype="float33")


def test_backend_of(backend: Library) -> None:
    assert xpconv.backend_of(backend.array([1.0])) == backend.backend
    assert str(xpconv.backend_of(backend.array(1.0))) == backend.spec
    for value in ([1.0], 1.0, None):
        with pytest.raises(TypeError, match=type(value).__name__):
            xpconv.backend_of(value)


def test_read_only_arrays_can_be_moved() -> None:
    x = Library("readonly").array([1.0, 2.0])
    for name in xpconv.available_backends():
        np.testing.assert_array_equal(xpconv.to_numpy(get_backend(name).asarray(x)), x)


def test_torch_tensors_that_track_gradients_can_be_read(torch: Any) -> None:
    tensor = torch.ones(2, requires_grad=True)
    np.testing.assert_array_equal(xpconv.to_numpy(tensor), [1.0, 1.0])
    backend = get_backend("numpy")
    np.testing.assert_array_equal(backend.asarray(tensor), [1.0, 1.0])


def test_two_devices_of_one_library() -> None:
    strict = pytest.importorskip("array_api_strict")
    first = strict.asarray([1.0], device=strict.Device("CPU_DEVICE"))
    moved = get_backend("array_api_strict:device1").asarray(first)
    assert moved.device == strict.Device("device1")
    with refused("y", "x", "asarray", error=TypeError):
        xpconv.ops.add(first, moved)


def test_mixed_libraries_are_told_how_to_meet(backend: Library) -> None:
    if backend.backend.name == "numpy":
        return
    x, y = backend.array([1.0]), np.array([1.0])
    with refused("y is a numpy array", "x", "asarray(y)", error=TypeError):
        xpconv.ops.add(x, y)


# --- waiting and measuring -------------------------------------------------------------------


def test_waiting_and_measuring(backend: Library) -> None:
    chosen = backend.backend
    assert chosen.synchronize() is None
    info = chosen.memory_info()
    if info is not None:
        assert 0 < info.free < info.total
        assert info.used + info.free == info.total
    with chosen.context():
        assert backend.owns(chosen.asarray([1.0]))


def test_memory_that_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def untold(_: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr("os.sysconf", untold)
    assert get_backend("numpy").memory_info() is None


def test_torch_without_a_gpu(torch: Any) -> None:
    if torch.cuda.is_available():
        assert str(get_backend("torch:cuda:0")) == "torch:cuda:0"
        return
    with refused("'cuda'", "torch", error=BackendError):
        get_backend("torch:cuda")


def test_available_backends_work() -> None:
    names = xpconv.available_backends()
    assert "numpy" in names
    for name in names:
        assert get_backend(name).asarray([1.0]).shape == (1,)


def test_the_selector_exports_its_names() -> None:
    assert xpconv.get_backend is selector.get_backend
    assert xpconv.use_backend is selector.use_backend


@pytest.mark.parametrize(
    "odd",
    [np.arange(6.0)[::-1], np.arange(3).astype(">f4"), np.float32(2)],
    ids=["reversed", "big-endian", "scalar"],
)
def test_host_data_comes_over_in_every_order(backend: Library, odd) -> None:
    """Negative strides and foreign byte orders, which some libraries cannot read, are put right."""
    moved = backend.backend.asarray(odd)
    np.testing.assert_array_equal(xpconv.to_numpy(moved), odd)


def test_backends_are_copied_and_pickled_by_name(backend: Library) -> None:
    pickled = pickle.loads(pickle.dumps(backend.backend))  # noqa: S301  (what we have just written)
    assert backend.backend == copy.deepcopy(backend.backend) == pickled


def test_bfloat16_of_cupy_is_that_of_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    backend = xpconv.Backend("cupy", SimpleNamespace(), None)
    assert backend._own_dtype("bfloat16") == np.dtype(ml_dtypes.bfloat16)
    with pytest.raises(ValueError, match="cupy has no dtype 'bfloat17'"):
        backend._own_dtype("bfloat17")
