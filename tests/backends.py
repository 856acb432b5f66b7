"""The array libraries that every array test runs on, and how their results are compared.

A test asks for the fixture ``backend`` and gets a `Library`: it makes arrays, reads them back and
compares them without going through xpconv, so that a broken conversion there cannot hide a broken
result.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

Array = Any

# label in test names -> (xpconv's name of the backend, the package that it needs)
LIBRARIES = {
    "numpy": ("numpy", "numpy"),
    "readonly": ("numpy", "numpy"),  # NumPy arrays that refuse to be written to
    "strict": ("array_api_strict:device1", "array_api_strict"),
    "torch": ("torch:cpu", "torch"),
    "cupy": ("cupy:0", "cupy"),
}

REQUIRE = "XPCONV_REQUIRE_BACKENDS"
ONLY = "XPCONV_ONLY_BACKENDS"
COMPILERS = "XPCONV_REQUIRE_COMPILERS"  # g++ and NVRTC, too: tests/cuda
NONE = "none"  # the tests that ask for no library
RTOL = {"float16": 5e-3, "float32": 1e-5, "float64": 1e-10, "complex64": 1e-5, "complex128": 1e-10}
# CuPy's float32 products where CUPY_TF32=1 allows TF32, which cuts operands to 11 significant bits:
# each is off by up to 2**-10 of itself, a product by 2**-9. In a sum of many the errors, of random
# sign, grow as the sum itself does: they leave it off by some 3e-4 of the largest number, and 2**-9
# is more than six times that. All else is as exact as ever, which the run without TF32 proves.
TF32_RTOL = 2.0**-9


@cache
def missing(label: str) -> str | None:
    """Why a library cannot run here, or None when it can."""
    package = LIBRARIES[label][1]
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        return f"{package} is not installed ({error})"
    if package == "cupy":
        try:
            if module.cuda.runtime.getDeviceCount() == 0:
                return "cupy sees no GPU"
            module.asarray(1.0).get()
        except Exception as error:  # whatever the driver says is the reason
            return f"cupy is installed and cannot work: {error}"
    return None


def required() -> set[str]:
    """The libraries that the environment forbids to be missing."""
    return _named(REQUIRE, list(LIBRARIES))


def only() -> set[str]:
    """The libraries whose tests are to run, and "none" for those that ask for none; empty: all."""
    return _named(ONLY, [*LIBRARIES, NONE])


def require_numba() -> None:
    """Stop the run where the environment asks for all compilers and Numba does not compile."""
    if os.environ.get(COMPILERS):
        from xpconv.engines import compiled_refusal

        if reason := compiled_refusal():
            raise pytest.UsageError(f"{COMPILERS} is set: {reason}")


def _named(variable: str, known: list[str]) -> set[str]:
    names = {name.strip() for name in os.environ.get(variable, "").split(",")} - {""}
    names = {"strict" if name == "array_api_strict" else name for name in names}
    if unknown := names - set(known):
        raise pytest.UsageError(f"{variable} names {sorted(unknown)}; known: {', '.join(known)}")
    return names


def need(label: str) -> None:
    """Skip the running test when a library is missing; fail it when the environment requires it."""
    reason = missing(label)
    if reason and label in required():
        pytest.fail(f"{REQUIRE} asks for {label}: {reason}", pytrace=False)
    if reason:
        pytest.skip(f"{label}: {reason}")


def host(x: Array) -> np.ndarray:
    """The values of any library's array, as NumPy."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    elif hasattr(x, "get") and not isinstance(x, dict):
        x = x.get()
    elif type(x).__module__.startswith("array_api_strict"):
        x = x._array
    return np.asarray(x)


def dtype_name(x: Array) -> str:
    """``"float32"`` for an array of float32, in whichever library it lives."""
    return str(x.dtype).rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Library:
    """One array library on one device: makes arrays, reads them and compares them.

    ``backend`` is xpconv's own value for it, ``xp`` the array namespace, ``spec`` what a user would
    type.
    """

    label: str

    @property
    def spec(self) -> str:
        return LIBRARIES[self.label][0]

    @property
    def backend(self) -> Any:
        from xpconv import get_backend

        return get_backend(self.spec)

    @property
    def xp(self) -> Any:
        from array_api_compat import array_namespace

        return array_namespace(self.array(0.0))

    @property
    def device(self) -> Any:
        from array_api_compat import device

        return device(self.array(0.0))

    def array(self, values: Any, dtype: Any = None, layout: str = "C") -> Array:
        """An array of this library holding a copy of ``values``.

        ``layout`` says how it lies in memory: ``"C"`` (contiguous), ``"channels_last"`` (axis 1
        innermost), ``"strided"`` (every second element of a larger array, along every axis),
        ``"transposed"`` (the axes in reverse order) or ``"flipped"`` (backwards along every axis,
        where the library can).
        """
        values = np.array(values, dtype=dtype)
        if layout == "transposed" and values.ndim:
            base = self._place(np.ascontiguousarray(values.T))
            return self.xp.permute_dims(base, tuple(reversed(range(values.ndim))))
        if layout == "flipped" and values.ndim:
            return self.xp.flip(self._place(np.flip(values).copy()))
        if layout == "channels_last" and values.ndim > 2:
            base = self._place(np.ascontiguousarray(np.moveaxis(values, 1, -1)))
            return self.xp.permute_dims(base, (0, values.ndim - 1, *range(1, values.ndim - 1)))
        if layout == "strided" and values.ndim:
            base = np.full([2 * size + 1 for size in values.shape], 77, dtype=values.dtype)
            every_second = (slice(1, None, 2),) * values.ndim
            base[every_second] = values
            return self._place(base)[every_second]
        return self._place(values)

    def _place(self, values: np.ndarray) -> Array:
        if self.label == "strict":
            import array_api_strict as strict

            return strict.asarray(values, device=strict.Device("device1"))
        if self.label == "torch":
            import torch

            return torch.asarray(values)
        if self.label == "cupy":
            import cupy

            return cupy.asarray(values)
        if self.label == "readonly":
            values.setflags(write=False)
        return values

    def owns(self, x: Array) -> bool:
        """Whether ``x`` is an array of this library, on its device."""
        from array_api_compat import array_namespace, device, is_array_api_obj

        return (
            is_array_api_obj(x)
            and array_namespace(x) is self.xp
            and (self.xp.__name__.endswith("numpy") or device(x) == self.device)
        )

    def assert_close(
        self,
        actual: Array,
        desired: Any,
        rtol: float | None = None,
        atol: float | None = None,
        dtype: str | None = None,
    ) -> None:
        """``actual`` lives here and has the shape, dtype and values of ``desired``.

        ``desired`` is a NumPy array or an array of this library. Its dtype is the one expected
        unless ``dtype`` names another. The tolerances default to what a short sum in that dtype may
        lose, relative to the largest value.
        """
        assert self.owns(actual), (
            f"{type(actual)} on {getattr(actual, 'device', None)} is not on {self.label}"
        )
        desired = host(desired)
        dtype = dtype or str(desired.dtype)
        assert dtype_name(actual) == dtype, f"dtype {dtype_name(actual)}, expected {dtype}"
        values = host(actual)
        assert values.shape == desired.shape, f"shape {values.shape}, expected {desired.shape}"
        if not np.issubdtype(values.dtype, np.inexact):
            np.testing.assert_array_equal(values, desired)
            return
        largest = max(1.0, float(np.max(np.abs(desired[np.isfinite(desired)]), initial=0.0)))
        if rtol is None:
            rtol = RTOL[dtype]
        if atol is None:
            atol = rtol * largest
        if rtol and self.in_tf32(dtype):
            rtol, atol = max(rtol, TF32_RTOL), max(atol, TF32_RTOL * largest)
        wide = np.complex128 if np.issubdtype(values.dtype, np.complexfloating) else np.float64
        np.testing.assert_allclose(values.astype(wide), desired.astype(wide), rtol=rtol, atol=atol)

    def in_tf32(self, dtype: str) -> bool:
        """Whether products of a dtype may be cut short here; half precision's lose nothing."""
        products = ("float32", "complex64")
        return self.label == "cupy" and dtype in products and os.environ.get("CUPY_TF32") == "1"

    def assert_equal(self, actual: Array, desired: Any) -> None:
        """As `assert_close`, to the last bit."""
        self.assert_close(actual, desired, rtol=0, atol=0)

    def __str__(self) -> str:
        return self.label


@contextmanager
def never_waiting() -> Iterator[None]:
    """Let CuPy refuse to wait for the device within a ``with`` block."""
    import cupyx

    with warnings.catch_warnings():
        # It warns whenever it is asked: that it cannot notice every wait, and may go one day.
        warnings.filterwarnings("ignore", "cupyx.allow_synchronize")
        with cupyx.allow_synchronize(False):
            yield


def label_of(params: dict[str, Any]) -> str | None:
    """The library of a test, from its parameters."""
    value = params.get("backend")
    return value if value in LIBRARIES else None


def wanted(label: str | None) -> bool:
    """Whether a test of a library, or of none, is to run."""
    names = only()
    return not names or (label or NONE) in names


def ran_and_skipped(reports: Iterable[Any]) -> dict[str, tuple[int, int]]:
    """For each library, how many tests ran on it and how many were skipped."""
    counts = {label: [0, 0] for label in LIBRARIES}
    for report in reports:
        label = dict(getattr(report, "user_properties", ())).get("backend")
        if label in counts:
            counts[label][report.skipped] += 1
    return {label: (ran, skipped) for label, (ran, skipped) in counts.items()}
