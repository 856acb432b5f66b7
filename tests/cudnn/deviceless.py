"""What cuDNN itself plans for a GPU that is described to it; no GPU and no driver are needed.

``python -m tests.cudnn.deviceless`` prints, as JSON, a list of what was asked and what was chosen.
It runs in a process of its own, which a stand-in for the driver's library can be loaded into.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from xpconv.engines import TASKS, Problem
from xpconv.engines._cudnn._graph import TYPES, Key, graph_of
from xpconv.engines._cudnn._library import front_end
from xpconv.engines._cudnn._plans import choose

BUDGET = 2**28
UNREAD = "this cuDNN describes devices in other words"
# An H200 in the words that cuDNN 9.28 reads a device's properties in.
H200 = {
    "deviceName": "NVIDIA H200",
    "cudaDeviceId": 0,
    "deviceVer": 900,
    "driverVer": 13000,
    "multiProcessorCount": 132,
    "smCountOrigin": 0,
    "totalGlobalMem": 150109880320,
    "maxGridSize": [2147483647, 65535, 65535],
    "maxBlockSize": [1024, 1024, 64],
    "regsPerBlock": 65536,
    "warpSize": 32,
    "maxSharedMemoryPerBlock": 49152,
    "maxSharedMemoryPerBlockOptin": 232448,
    "oversizedSharedMemoryPerBlock": 0,
    "reservedSharedMemoryPerBlock": 1024,
    "maxRegistersPerSM": 65536,
    "maxCtasPerSM": 32,
    "maxThreadsPerBlock": 1024,
    "maxThreadsPerSM": 2048,
    "pciDeviceId": 0,
    "isTccDriver": 0,
    "supportCoopLaunch": 1,
    "smClockRateKHz": 1980000,
    "memClockRateKHz": 3201000,
    "memoryBusWidth": 6144,
    "l2CacheSize": 52428800,
}
# What cuDNN's libraries want of the driver's before they let themselves be loaded.
_DRIVER = "".join(
    f"int {name}(void) {{ return 34; }}\n"  # the driver is a stub
    for name in (
        "cuGetErrorString",
        "cuModuleGetFunction",
        "cuModuleLoadData",
        "cuModuleUnload",
        "cuTensorMapEncodeIm2col",
        "cuTensorMapEncodeTiled",
    )
)

WIDE = Problem(
    batch=16,
    in_channels=64,
    out_channels=128,
    in_size=(56, 56),
    kernel_size=(3, 3),
    stride=(1, 1),
    padding=((1, 1), (1, 1)),
    dilation=(1, 1),
    library="cupy",
)
PROBLEMS = {
    "3x3": WIDE,
    "1x1": dataclasses.replace(WIDE, kernel_size=(1, 1), padding=((0, 0), (0, 0))),
    "strided, asymmetric": dataclasses.replace(WIDE, stride=(2, 2), padding=((0, 1), (1, 2))),
    "dilated": dataclasses.replace(WIDE, padding=((2, 2), (2, 2)), dilation=(2, 2)),
    "groups": dataclasses.replace(WIDE, groups=4),
    "depthwise": dataclasses.replace(WIDE, groups=64),
    "three channels": dataclasses.replace(WIDE, in_channels=3, stride=(2, 2)),
    "signals": dataclasses.replace(
        WIDE, in_size=(700,), kernel_size=(5,), stride=(1,), padding=((2, 2),), dilation=(1,)
    ),
    "volumes": dataclasses.replace(
        WIDE,
        batch=2,
        in_size=(8, 28, 28),
        kernel_size=(3, 3, 3),
        stride=(1, 1, 1),
        padding=((1, 1),) * 3,
        dilation=(1, 1, 1),
    ),
}


def drawn(count: int) -> Iterator[Problem]:
    """Yield small problems of all kinds, the same in every run."""
    pick = random.Random(5)
    for _ in range(count):
        n, groups = pick.choice([1, 2, 2, 3]), pick.choice([1, 1, 2, 3])
        several = partial(lambda low, high, n: tuple(pick.randint(low, high) for _ in range(n)))
        kernel, stride, dilation = several(1, 4, n), several(1, 3, n), several(1, 3, n)
        pairs = tuple(several(0, 3, 2) for _ in range(n))
        spans = [d * (k - 1) + 1 - sum(p) for d, k, p in zip(dilation, kernel, pairs)]
        yield Problem(
            batch=pick.randint(1, 4),
            in_channels=groups * pick.randint(1, 6),
            out_channels=groups * pick.randint(1, 6),
            in_size=tuple(max(1, span) + pick.randint(0, 6) for span in spans),
            kernel_size=kernel,
            stride=stride,
            padding=pairs,
            dilation=dilation,
            groups=groups,
            library="cupy",
        )


def driver() -> None:
    """Have the driver's library in memory, or a stand-in where there is none."""
    try:
        ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        with tempfile.TemporaryDirectory() as folder:
            source, made = Path(folder, "driver.c"), Path(folder, "libcuda.so.1")
            source.write_text(_DRIVER, encoding="utf-8")
            name = "-Wl,-soname,libcuda.so.1"
            subprocess.run(["gcc", "-shared", "-fPIC", name, "-o", made, source], check=True)
            ctypes.CDLL(str(made), mode=ctypes.RTLD_GLOBAL)


def plan(place: dict[str, Any], name: str, problem: Problem, dtype: str, **how: Any) -> Any:
    """Return what was asked, the kernel's name, its workspace, and why there is none."""
    given = {"task": "forward", "bias": False, "activation": None, "tf32": False}
    given |= {"deterministic": True, "budget": BUDGET, "device": 0, **how}
    key = Key(dataclasses.replace(problem, dtype=dtype), **given)
    asked = {"name": name, "dtype": dtype, **given}
    try:
        graph = graph_of(key, **place)
        return {**asked, "kernel": choose(graph, key), "workspace": graph.get_workspace_size()}
    except (RuntimeError, front_end().cudnnGraphNotSupportedError) as error:
        return {**asked, "kernel": None, "workspace": 0, "error": str(error)[:300]}


def plans(place: dict[str, Any]) -> Iterator[Any]:
    """Yield what is planned for the problems above, in every dtype, and for drawn ones."""
    for name, problem in PROBLEMS.items():
        for dtype in TYPES:
            for tf32 in (False, True) if dtype == "float32" else (False,):
                ask = partial(plan, place, name, problem, dtype, tf32=tf32)
                yield from (ask(task=task) for task in TASKS)
                yield ask(bias=True)
                yield ask(bias=True, activation="relu")
                yield ask(budget=1)
    for number, problem in enumerate(drawn(40)):
        for dtype in TYPES:
            yield from (plan(place, f"drawn {number}", problem, dtype, task=t) for t in TASKS)


def main() -> None:
    driver()
    compiled: Any = front_end()._pybind_module
    try:
        properties = compiled.create_device_properties(json.dumps(H200))
    except RuntimeError as error:
        sys.exit(f"{UNREAD} ({error})")
    place = {"device_property": properties, "sm_version": 90}
    json.dump(list(plans(place)), sys.stdout)


if __name__ == "__main__":
    main()
