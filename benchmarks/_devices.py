"""Clocks and memory meters: wall clock on the CPU, events and allocator statistics on a GPU.

A call on a GPU returns before its work is done, so there it is timed between two events on the
stream. On the CPU the peak of the resident set is read from the kernel, which sees every library
alike; NumPy also reports its allocations to `tracemalloc`, which is exact.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

Run = Callable[[], Any]


class Device(Protocol):
    def time(self, run: Run) -> float:
        """Seconds that one call takes, until its work is done."""

    def host_seconds(self, run: Run) -> float | None:
        """Seconds until a call returns, its work still to be done; None where it is done then."""

    def peak_bytes(self, run: Run) -> dict[str, int]:
        """Bytes that one call needs beyond what was held before, by meter."""

    def describe(self) -> dict[str, str]: ...


class Cpu:
    def time(self, run: Run) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def host_seconds(self, run: Run) -> float | None:
        return None

    def peak_bytes(self, run: Run) -> dict[str, int]:
        tracemalloc.start()
        before = _reset_resident_peak()
        result = run()  # held until both meters are read: its own memory counts
        after = _status_bytes("VmHWM")
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        del result
        peaks = {"traced": traced}
        if before is not None and after is not None:
            peaks["resident"] = max(after - before, 0)
        return peaks

    def describe(self) -> dict[str, str]:
        return {"device": "cpu"}


def _reset_resident_peak() -> int | None:
    """Set the high-water mark of the resident set back to now; None where Linux is not below."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status_bytes("VmRSS")


def _status_bytes(key: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


class TorchCuda:
    """PyTorch's events and its allocator's statistics, for any library built upon it."""

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)

    def time(self, run: Run) -> float:
        cuda = self._torch.cuda
        first, last = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        cuda.synchronize(self._device)
        first.record()
        run()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000

    def host_seconds(self, run: Run) -> float:
        return _until_it_returns(run, lambda: self._torch.cuda.synchronize(self._device))

    def peak_bytes(self, run: Run) -> dict[str, int]:
        cuda = self._torch.cuda
        cuda.synchronize(self._device)
        cuda.empty_cache()
        cuda.reset_peak_memory_stats(self._device)
        before = cuda.memory_allocated(self._device)
        result = run()
        cuda.synchronize(self._device)
        peak = cuda.max_memory_allocated(self._device)
        del result
        return {"device": int(peak - before)}

    def describe(self) -> dict[str, str]:
        return {
            "device": self._torch.cuda.get_device_name(self._device),
            "cuda": str(self._torch.version.cuda),
            "cudnn": str(self._torch.backends.cudnn.version()),
        }


class CupyCuda:
    """CuPy's events and memory pool.

    The pool tells what it took from the device, not what of it was in use at once: an upper bound.
    """

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy

    def time(self, run: Run) -> float:
        cuda = self._cupy.cuda
        first, last = cuda.Event(), cuda.Event()
        cuda.get_current_stream().synchronize()
        first.record()
        run()
        last.record()
        last.synchronize()
        return float(cuda.get_elapsed_time(first, last)) / 1000

    def host_seconds(self, run: Run) -> float:
        return _until_it_returns(run, self._cupy.cuda.get_current_stream().synchronize)

    def peak_bytes(self, run: Run) -> dict[str, int]:
        pool = self._cupy.get_default_memory_pool()
        self._cupy.cuda.get_current_stream().synchronize()
        pool.free_all_blocks()
        before = pool.total_bytes()
        result = run()
        self._cupy.cuda.get_current_stream().synchronize()
        peak = pool.total_bytes()
        del result
        return {"device": int(peak - before)}

    def describe(self) -> dict[str, str]:
        runtime = self._cupy.cuda.runtime
        name = runtime.getDeviceProperties(runtime.getDevice())["name"].decode()
        driver, cuda = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        return {"device": name, "driver": str(driver), "cuda": str(cuda)}


def _until_it_returns(run: Run, wait: Callable[[], object], calls: int = 5) -> float:
    """Median of some calls, each on a device that has nothing to do: its queue never fills up."""
    times = []
    for _ in range(calls):
        wait()
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    wait()
    return statistics.median(times)


PEAK_SIZE = 8192  # rows and columns of the matrices whose product shows the peak
PEAK_BYTES = 2**30  # of the copy that does
CPU_SIZE, CPU_BYTES = 3072, 2**28  # likewise, for a processor


def peaks(device: Device, product: Run, copy: Run) -> dict[str, str]:
    """What the device does at best: a large product, and a large copy, which reads and writes."""
    found = rates(device, product, 2 * PEAK_SIZE**3, copy, 2 * PEAK_BYTES)
    return {
        "peak TFLOP/s": f"{found['flops'] / 1e12:.1f}",
        "peak GB/s": f"{found['bytes'] / 1e9:.0f}",
    }


def rates(device: Device, product: Run, operations: int, copy: Run, moved: int) -> dict[str, float]:
    """Operations and bytes a second, the best of five."""
    seconds = []
    for run in (product, copy):
        run()
        seconds.append(min(device.time(run) for _ in range(5)))
    return {"flops": operations / seconds[0], "bytes": moved / seconds[1]}
