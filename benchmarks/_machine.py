"""What the figures were measured on, so that a reader can judge and repeat them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from ._process import ROOT, THREAD_VARIABLES

PACKAGES = ("xpconv", "numpy", "scipy", "torch", "jax", "cupy", "numba", "threadpoolctl")
# What libraries read from the environment and workers inherit; threads are set for all alike.
PREFIXES = ("BLIS_", "GOTO_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "XLA_", "XPCONV_")
IGNORED = (*THREAD_VARIABLES, "KMP_DUPLICATE_LIB_OK")  # threadpoolctl sets the last
FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
VECTOR_FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "neon", "asimd", "sve")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> dict[str, str]:
    """Processor, system, versions, commit and date, as text."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(cores()),
        "vector units": ", ".join(_vector_units()) or "unknown",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(_versions()),
        "BLAS": _blas(),
        "environment": ", ".join(f"{k}={v}" for k, v in variables().items()) or "nothing set",
        "commit": _commit(),
    }
    if hasattr(os, "getloadavg"):
        facts["load before"] = f"{os.getloadavg()[0]:.2f}"
    return facts


def variables() -> dict[str, str]:
    """Settings of numerical libraries in the environment, without the numbers of threads."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(PREFIXES) and name not in IGNORED
    }


def warnings() -> list[str]:
    """What makes a library slower than it is, whether the user knows it or not."""
    return [
        f"{name}={value} forces the choice of BLAS kernels, here to those for {architectures()}: "
        "NumPy's products may have half their speed. Unset it unless that is what you measure."
        for name, value in variables().items()
        if name in FORCED
    ]


def _cpuinfo(key: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _processor() -> str:
    name = _cpuinfo("model name") or platform.processor() or platform.machine()
    family, model = _cpuinfo("cpu family"), _cpuinfo("model")
    return f"{name} (family {family}, model {model})" if family else name


def _vector_units() -> list[str]:
    flags = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return [flag for flag in VECTOR_FLAGS if flag in flags]


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "unknown"
    return f"{total / 2**30:.0f} GiB"


def _versions() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _blas() -> str:
    import numpy as np

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    name = " ".join(str(blas.get(key, "")) for key in ("name", "version")).strip() or "unknown"
    return f"{name}, kernels for {architectures()}"


def architectures() -> str:
    """The processor that NumPy's BLAS has chosen its kernels for."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "an unknown processor (threadpoolctl is not installed)"
    found = [
        str(it.get("architecture", "")) for it in threadpool_info() if it["user_api"] == "blas"
    ]
    return ", ".join(dict.fromkeys(filter(None, found))) or "an unknown processor"


def _commit() -> str:
    try:
        text = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return text.strip()
