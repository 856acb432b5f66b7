"""What this machine offers: libraries, devices, threads and settings, and what they lead to.

A doctor meets the sick: whatever is broken here becomes a line of the report, never an exception.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from . import __version__, engines
from ._settings import wrong_settings
from ._workspace import environment_budget
from .backend import explain_auto, get_backend

__all__ = ["examine"]

BACKENDS = ("numpy", "cupy", "torch", "array_api_strict")
PACKAGES = (
    "numpy",
    "array-api-compat",
    "array-api-extra",
    "cupy",
    "torch",
    "array-api-strict",
    "scikit-learn",
    "safetensors",
    "matplotlib",
    "pillow",
    "rich",
    "numba",
    "threadpoolctl",
)
CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy")
SETTINGS = ("CUDA_VISIBLE_DEVICES", "CUDA_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PREFIXES = ("XPCONV_", "CUPY_", "MKL_NUM", "BLIS_NUM", "NVIDIA_TF32")


def examine() -> dict[str, Any]:
    """Examine this machine and Python environment.

    Returns
    -------
    dict
        Fit for JSON: ``xpconv``, ``python``, ``platform``, ``packages`` (a version or None),
        ``backends`` (each with ``available`` and the ``reason`` if not), ``devices`` (with memory
        in bytes), ``cuda``, ``threads``, ``tf32``, ``environment`` (and ``wrong``, what is amiss in
        it), ``engines``, ``workspace``, ``default`` and ``auto`` (the backend and why). What could
        not be found out is ``{"error": ...}``.

    Examples
    --------
    >>> report = examine()
    >>> report["backends"][0]
    {'name': 'numpy', 'available': True, 'reason': None}
    """
    backends = [_backend(name) for name in BACKENDS]
    usable = [entry["name"] for entry in backends if entry["available"]]
    return {
        "xpconv": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": _attempt(platform.platform),
        "packages": {name: _attempt(partial(_version, name)) for name in PACKAGES},
        "backends": backends,
        "devices": [device for name in usable for device in _devices_or_error(name)],
        "cuda": _attempt(_cuda),
        "threads": _attempt(_threads),
        "tf32": _attempt(lambda: _tf32("torch" in usable)),
        "environment": _environment(),
        "wrong": wrong_settings(),
        "engines": _engines(),
        "workspace": _attempt(_workspace),
        "default": _attempt(_default),
        "auto": _attempt(_auto),
    }


def _attempt(find_out: Callable[[], Any]) -> Any:
    """Return what a probe finds, or the error that it died of."""
    try:
        return find_out()
    except Exception as error:
        return {"error": _first_line(error)}


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _version(name: str) -> str | None:
    """Return a package's version; CuPy comes under several names, so its own is added."""
    for distribution in CUPY if name == "cupy" else (name,):
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
        return version if distribution == name else f"{version} ({distribution})"
    return None


def _backend(name: str) -> dict[str, Any]:
    found = _attempt(partial(get_backend, name))
    failed = isinstance(found, dict)
    reason = found["error"].removeprefix("BackendError: ") if failed else None
    return {"name": name, "available": reason is None, "reason": reason}


def _devices_or_error(name: str) -> list[dict[str, Any]]:
    """List the devices of one backend, so that one that breaks does not hide the others'."""
    found = _attempt(partial(_devices, name))
    return [{"backend": name, "device": found, "memory": None}] if "error" in found else found


def _devices(name: str) -> list[dict[str, Any]]:
    """List the devices of a backend that works; array_api_strict's are those of NumPy."""
    if name == "array_api_strict":
        return []
    specs = {"numpy": ["numpy"], "torch": ["torch"], "cupy": []}[name]
    if name == "cupy":  # pragma: needs cuda
        import cupy

        specs = [f"cupy:{index}" for index in range(cupy.cuda.runtime.getDeviceCount())]
    if name == "torch":
        import torch

        specs += [f"torch:cuda:{index}" for index in range(torch.cuda.device_count())]
    return [_device(spec) for spec in specs]


def _device(spec: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"backend": spec, "device": _attempt(lambda: _device_name(spec))}
    memory = _attempt(lambda: get_backend(spec).memory_info())
    if hasattr(memory, "_asdict"):
        memory = memory._asdict()
    return {**entry, "memory": memory}


def _device_name(spec: str) -> str:
    library, _, place = spec.partition(":")
    if not place:
        return _cpu()
    index = int(place.rpartition(":")[2])  # pragma: needs cuda
    if library == "cupy":  # pragma: needs cuda
        import cupy

        found = cupy.cuda.runtime.getDeviceProperties(index)
        return f"{found['name'].decode()}, compute capability {found['major']}.{found['minor']}"
    import torch  # pragma: needs cuda

    return str(torch.cuda.get_device_name(index))  # pragma: needs cuda


def _cpu() -> str:
    """Name the processor; Linux says it in a file, other systems through platform."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cuda() -> dict[str, Any]:
    """Ask CuPy for the versions of CUDA's parts."""
    try:
        import cupy
    except ModuleNotFoundError:
        return {"cupy": "not installed"}
    runtime = cupy.cuda.runtime
    return {
        "driver": _attempt(lambda: _dotted(runtime.driverGetVersion())),
        "runtime": _attempt(lambda: _dotted(runtime.runtimeGetVersion())),
        "nvrtc": _attempt(lambda: ".".join(map(str, cupy.cuda.nvrtc.getVersion()))),
        "cublas": _attempt(
            lambda: str(cupy.cuda.cublas.getVersion(cupy.cuda.device.get_cublas_handle()))
        ),
        "products": _attempt(lambda: "cuBLASLt" if engines.own_products("cupy") else "CuPy"),
    }


def _dotted(version: int) -> str:
    """Write CUDA's version number as people do, 13010 as 13.1."""
    if not version:
        return "none"
    return f"{version // 1000}.{version % 1000 // 10}"


def _threads() -> list[dict[str, Any]]:
    """List the thread pools that the loaded libraries keep, or how NumPy was built."""
    cores: dict[str, Any] = {"library": "cores", "count": os.cpu_count()}
    if hasattr(os, "sched_getaffinity"):
        cores["usable"] = len(os.sched_getaffinity(0))
    try:
        import threadpoolctl
    except ModuleNotFoundError:
        import numpy as np

        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        unknown = "unknown (pip install threadpoolctl)"
        return [cores, {"library": f"{blas['name']} {blas['version']}", "threads": unknown}]
    return [cores] + [
        {
            "library": f"{pool['internal_api']} {pool.get('version') or ''}".strip(),
            "threads": pool["num_threads"],
            "file": Path(pool["filepath"]).name,
        }
        for pool in threadpoolctl.threadpool_info()
    ]


def _tf32(torch_works: bool) -> dict[str, Any]:
    """Say whether float32 products may be computed with TensorFloat-32's ten-bit mantissa."""
    found = {"cupy": "on" if os.environ.get("CUPY_TF32", "0") == "1" else "off (CUPY_TF32=1: on)"}
    if torch_works:
        import torch

        precision = torch.get_float32_matmul_precision()
        found["torch"] = f"{'off' if precision == 'highest' else 'on'} ({precision} precision)"
    return found


def _environment() -> dict[str, str]:
    return {k: v for k, v in sorted(os.environ.items()) if k in SETTINGS or k.startswith(PREFIXES)}


def _engines() -> dict[str, Any]:
    """Say what may compute convolutions, and where compiled code is kept."""
    refusal = _attempt(engines.compiled_refusal)
    found = {
        "allowed": _attempt(lambda: ", ".join(engines.allowed())),
        "compiled for NumPy": "yes" if refusal is None else refusal,
        "threads": _attempt(engines.thread_count),
    }
    if refusal is None:
        found["cache"] = _attempt(_cache)
    found["cuDNN"] = _attempt(lambda: engines.cudnn_refusal() or engines.cudnn_versions())
    return found


def _cache() -> str:
    import numba

    return str(numba.config.CACHE_DIR or Path(engines.__file__).with_name("_numba") / "__pycache__")


def _workspace() -> dict[str, Any]:
    budget = environment_budget()
    if budget is None:
        return {"convolution": "the default of each library (XPCONV_WORKSPACE is not set)"}
    return {"convolution": f"{budget:,} bytes (XPCONV_WORKSPACE)"}


def _default() -> dict[str, str]:
    name = os.environ.get("XPCONV_BACKEND", "").strip()
    reason = "XPCONV_BACKEND" if name else "XPCONV_BACKEND is not set"
    return {"backend": str(get_backend()), "reason": reason}


def _auto() -> dict[str, str]:
    backend, reason = explain_auto()
    return {"backend": backend, "reason": reason}
