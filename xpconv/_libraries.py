"""How each array library is opened, read from the host, waited for and measured.

The only ground file that knows one library from another; `backend` offers it to the user. Every
library is imported inside a function, when somebody asks for it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from ._typing import Array, Namespace


def quiet() -> AbstractContextManager[Any]:
    """Let arithmetic answer with inf and NaN in silence, as every library but NumPy does."""
    return np.errstate(all="ignore")


class BackendError(RuntimeError):
    """A backend was asked for by name and cannot work; the message says why and what to type."""


class MemoryInfo(NamedTuple):
    """Memory of a device in bytes."""

    used: int
    free: int
    total: int


def _import(module: str, what: str, mend: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a broken installation fails in many ways
        raise BackendError(f"{what} cannot be imported ({error}); {mend}") from error


# --- opening: device text from the user -> (namespace, device) -----------------------------------


def _open_numpy(device: str) -> tuple[Namespace, Any]:
    if device not in ("", "cpu"):
        raise ValueError(f"the numpy backend has one device, 'cpu', got {device!r}")
    return importlib.import_module("array_api_compat.numpy"), "cpu"


_CTK = "pip install 'cupy-cuda13x[ctk]' (or 'cupy-cuda12x[ctk]' for a CUDA 12 driver)"


def _open_cupy(device: str) -> tuple[Namespace, Any]:
    if device and not device.isdecimal():
        raise ValueError(f"a cupy device is a number, as in 'cupy:1', got {device!r}")
    cupy = _import("cupy", "cupy", _CTK)
    index = int(device or 0)
    _probe_cupy(cupy, index)
    return importlib.import_module("array_api_compat.cupy"), cupy.cuda.Device(index)


@cache
def _probe_cupy(cupy: Any, index: int) -> None:
    """Find out what works by doing it: count devices, one product (cuBLAS), one kernel (NVRTC)."""
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as error:
        raise BackendError(
            f"cupy finds no CUDA driver ({error}); install the NVIDIA driver, check it with "
            "nvidia-smi, or use backend='numpy'"
        ) from error
    if index >= count:
        found = "no CUDA device" if count == 0 else f"{count} CUDA device(s), 0 to {count - 1},"
        raise BackendError(f"cupy finds {found} and cannot use device {index}; check nvidia-smi")
    compile_error = getattr(cupy.cuda.compiler, "CompileException", RuntimeError)
    probes: dict[str, Callable[[], Any]] = {
        "an elementwise kernel (NVRTC)": lambda: cupy.ones(2) + 1,
        "a matrix product (cuBLAS)": lambda: cupy.eye(2) @ cupy.eye(2),
    }
    with cupy.cuda.Device(index):
        for part, work in probes.items():
            try:
                work()
                cupy.cuda.runtime.deviceSynchronize()
            except (ImportError, RuntimeError, compile_error) as error:
                raise BackendError(
                    f"cupy finds a device but cannot run {part}: {error}; install the CUDA "
                    f"toolkit's libraries with {_CTK}"
                ) from error


def _open_torch(device: str) -> tuple[Namespace, Any]:
    torch = _import("torch", "torch", "pip install torch")
    try:
        place = torch.device(device or "cpu")
    except RuntimeError as error:
        raise ValueError(f"torch knows no device {device!r}: {error}") from error
    try:
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BackendError(
            f"torch cannot use the device {device!r}: {error}; use backend='torch' for the CPU"
        ) from error
    return importlib.import_module("array_api_compat.torch"), place


def _open_strict(device: str) -> tuple[Namespace, Any]:
    strict = _import("array_api_strict", "array_api_strict", "pip install array-api-strict")
    try:
        return strict, strict.Device(device or "CPU_DEVICE")
    except ValueError as error:
        raise ValueError(f"array_api_strict knows no device {device!r}: {error}") from error


OPENERS: dict[str, Callable[[str], tuple[Namespace, Any]]] = {
    "numpy": _open_numpy,
    "cupy": _open_cupy,
    "torch": _open_torch,
    "array_api_strict": _open_strict,
}


def cupy_bfloat16() -> Any:
    """Return CuPy's bfloat16, which another package brings."""
    return np.dtype(_import("ml_dtypes", "bfloat16 for cupy", "pip install ml_dtypes").bfloat16)


# --- the other things that differ ---------------------------------------------------------------


_MEMBERS: dict[str, Callable[[Any], bool]] = {
    "numpy": array_api_compat.is_numpy_array,
    "cupy": array_api_compat.is_cupy_array,
    "torch": array_api_compat.is_torch_array,
    "jax": array_api_compat.is_jax_array,
}


_LIBRARIES: dict[type, str] = {}  # found once for each type of array: asking takes longer


def library_of(array: Array) -> str:
    """Return the name of the library that an array belongs to."""
    kind = type(array)
    if kind not in _LIBRARIES:
        others = (name for name, is_member in _MEMBERS.items() if is_member(array))
        _LIBRARIES[kind] = next(others, kind.__module__.partition(".")[0])
    return _LIBRARIES[kind]


def device_name(library: str, device: Any) -> str:
    """Write a device as a user types it behind the library's name; empty for the only device."""
    if library == "numpy":
        return ""
    if library == "cupy":
        return str(device.id)
    if library == "array_api_strict":
        return str(device._device)
    return str(device)


def plain(array: Array) -> Array:
    """Return an array that is no NumPy scalar and that no automatic differentiation follows."""
    if isinstance(array, np.generic):
        return np.asarray(array)
    return array.detach() if getattr(array, "requires_grad", False) is True else array


def to_host(array: Array) -> np.ndarray:
    """Return an array of any library as a NumPy array (NumPy's own as they are)."""
    library = library_of(array)
    if library == "cupy":
        return np.asarray(array.get())
    if library == "torch":
        array = array.detach().cpu().resolve_conj().resolve_neg()
        if str(array.dtype) == "torch.bfloat16":  # NumPy has none; float32 holds it exactly
            array = array.float()
        return np.asarray(array.numpy())
    if library == "array_api_strict":
        strict = importlib.import_module("array_api_strict")
        return np.asarray(array_api_compat.to_device(array, strict.Device("CPU_DEVICE")))
    return np.asarray(array)


def in_memory_order(host: np.ndarray) -> np.ndarray:
    """Return host data as every library can read it: native byte order, no negative strides."""
    host = host.astype(host.dtype.newbyteorder("="), copy=False)
    return np.asarray(host, order="C") if any(step < 0 for step in host.strides) else host


def synchronize(library: str, device: Any) -> None:
    """Wait until a device has finished what it was given."""
    if library == "cupy":
        with device:
            importlib.import_module("cupy").cuda.get_current_stream().synchronize()
    elif library == "torch" and device.type == "cuda":
        importlib.import_module("torch").cuda.synchronize(device)


def activate(library: str, device: Any) -> AbstractContextManager[Any]:
    """Make a device the current one within a ``with`` block, where a library has such a notion."""
    if library == "cupy":
        cupy = importlib.import_module("cupy")
        return cupy.cuda.Device(device.id)  # type: ignore[no-any-return]
    if library == "torch" and device.type == "cuda":
        return importlib.import_module("torch").cuda.device(device)  # type: ignore[no-any-return]
    return nullcontext()


def memory(library: str, device: Any) -> MemoryInfo | None:
    """Return the memory of a device, or None where the system does not tell."""
    if library == "cupy":
        with device:
            free, total = importlib.import_module("cupy").cuda.runtime.memGetInfo()
    elif library == "torch" and device.type == "cuda":
        free, total = importlib.import_module("torch").cuda.mem_get_info(device)
    else:
        try:
            page = os.sysconf("SC_PAGE_SIZE")
            free, total = (page * os.sysconf(f"SC_{k}_PAGES") for k in ("AVPHYS", "PHYS"))
        except (AttributeError, OSError, ValueError):
            return None
    return MemoryInfo(total - free, free, total)


def available(library: str, device: Any) -> int | None:
    """Return the bytes that an array could still take: free ones, and those that a pool keeps."""
    found = memory(library, device)
    if found is None or library != "cupy":
        return None if found is None else found.free
    with device:
        pool = importlib.import_module("cupy").get_default_memory_pool()
        return found.free + int(pool.free_bytes())


def release_memory(library: str, device: Any) -> None:
    """Give back to the system what a library's pool keeps of a device and no array uses."""
    if library == "cupy":
        cupy = importlib.import_module("cupy")
        with device:
            cupy.get_default_memory_pool().free_all_blocks()
            cupy.get_default_pinned_memory_pool().free_all_blocks()
    elif library == "torch" and device.type == "cuda":
        with activate(library, device):
            importlib.import_module("torch").cuda.empty_cache()
