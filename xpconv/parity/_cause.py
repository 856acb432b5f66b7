"""Why two arrays may differ: what the difference looks like, in words."""

from __future__ import annotations

import itertools
import math

import numpy as np

MOST_AXES = 5
MANY = 1_000_000
EXPLAINED = 0.01


def likely_cause(
    reference: np.ndarray, other: np.ndarray, names: tuple[str, str], tolerance: float
) -> str:
    """Say what the difference between two arrays looks like.

    Parameters
    ----------
    reference, other : numpy.ndarray
        The same value from two backends.
    names : (str, str)
        The backends.
    tolerance : float
        The relative difference that is allowed.

    Returns
    -------
    str
        The first description that fits.
    """
    if reference.dtype != other.dtype:
        return f"dtype differs: {reference.dtype} on {names[0]}, {other.dtype} on {names[1]}"
    if reference.shape != other.shape:
        shapes = f"{reference.shape} on {names[0]}, {other.shape} on {names[1]}"
        kind = "axes are permuted" if _same_sizes(reference, other) else "shape differs"
        return f"{kind}: {shapes}"
    a, b = reference.astype(np.float64), other.astype(np.float64)
    return (
        _not_finite(a, b, names)
        or _zero(a, b, names)
        or _rounding(a, b, tolerance)
        or _rearranged(a, b, tolerance)
        or _scaled(a, b, tolerance)
        or _zero_pattern(a, b)
        or _border(a, b, tolerance)
        or _few(a, b, tolerance)
        or _precision(a, b, reference.dtype)
    )


def _same_sizes(a: np.ndarray, b: np.ndarray) -> bool:
    return a.ndim == b.ndim and sorted(a.shape) == sorted(b.shape)


def _not_finite(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> str | None:
    for what, test in (("NaN", np.isnan), ("infinity", np.isinf)):
        counts = int(test(a).sum()), int(test(b).sum())
        if counts[0] != counts[1]:
            name, count = max(zip(names, counts, strict=True), key=lambda pair: pair[1])
            return (
                f"{what} in {count} of {a.size} elements on {name} (overflow, 0/0, or unset memory)"
            )
    if np.isnan(a).any() and np.array_equal(np.isnan(a), np.isnan(b)):
        return f"NaN in {int(np.isnan(a).sum())} of {a.size} elements on both backends"
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return "NaN or infinity in other places"
    return None


def _zero(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> str | None:
    for side, name in ((a, names[0]), (b, names[1])):
        if not side.any():
            return f"all zero on {name}"
    return None


def _rounding(a: np.ndarray, b: np.ndarray, tolerance: float) -> str | None:
    if np.max(np.abs(a - b)) < 4 * tolerance * np.max(np.abs(a)):
        return "rounding, a little above tolerance: an ill-conditioned layer, or a long sum"
    return None


def _explains(a: np.ndarray, b: np.ndarray, candidate: np.ndarray, tolerance: float) -> bool:
    """Whether a candidate for ``b`` leaves next to nothing of the difference between the two."""
    bound = max(tolerance * np.max(np.abs(a)), EXPLAINED * np.max(np.abs(a - b)))
    return bool(np.max(np.abs(candidate - b)) <= bound)


def _rearranged(a: np.ndarray, b: np.ndarray, tolerance: float) -> str | None:
    """Look for axes in another order, or read backwards."""
    if not 1 <= a.ndim <= MOST_AXES or a.size > MANY:
        return None
    axes = range(a.ndim)
    for order in itertools.permutations(axes):
        turned = np.transpose(a, order)
        unturned = order == tuple(axes) or turned.shape != a.shape
        if not unturned and _explains(a, b, turned, tolerance):
            return f"axes are permuted: the other has them as {order}"
    for one, other in (("C", "F"), ("F", "C")):
        reread = a.reshape(-1, order=one).reshape(a.shape, order=other)  # type: ignore[call-overload]
        if _explains(a, b, reread, tolerance):
            return "memory read in another order (rows first against columns first)"
    for count in range(1, a.ndim + 1):
        for some in itertools.combinations(axes, count):
            if _explains(a, b, np.flip(a, some), tolerance):
                return f"reversed along axes {some} (convolution against cross-correlation?)"
    return None


def _scaled(a: np.ndarray, b: np.ndarray, tolerance: float) -> str | None:
    """Look for a constant factor or a constant offset."""
    factor = float(np.vdot(a, b) / np.vdot(a, a))
    if factor and _explains(a, b, factor * a, tolerance):
        times = max(abs(factor), 1 / abs(factor))
        whole = round(times)
        hint = f", so {whole} or 1/{whole}: a mean against a sum?"
        is_whole = whole > 1 and math.isclose(times, whole, rel_tol=1e-3)
        return f"a constant factor of {factor:.6g}{hint if is_whole else ''}"
    offset = float(np.mean(b - a))
    if a.size > 1 and _explains(a, b, a + offset, tolerance):
        return f"a constant offset of {offset:.3g}"
    return None


def _zero_pattern(a: np.ndarray, b: np.ndarray) -> str | None:
    """Look for masks that differ: many zeros, in other places."""
    zeros = np.mean(a == 0), np.mean(b == 0)
    differ = np.mean((a == 0) != (b == 0))
    if min(zeros) > 0.02 and differ > 0.2 * min(zeros):
        return f"zeros in other places ({differ:.0%} of the elements): another dropout mask?"
    return None


def _border(a: np.ndarray, b: np.ndarray, tolerance: float) -> str | None:
    """Look for differences at the spatial borders only."""
    if a.ndim < 3 or min(a.shape[2:]) < 5:
        return None
    for width in range(1, min(a.shape[2:]) // 2):
        inner = (slice(None), slice(None), *[slice(width, -width)] * (a.ndim - 2))
        if np.max(np.abs(a[inner] - b[inner])) <= tolerance * np.max(np.abs(a)):
            return f"only the outermost {width} rows and columns differ: padding"
    return None


def _few(a: np.ndarray, b: np.ndarray, tolerance: float) -> str | None:
    wrong = int((np.abs(a - b) > tolerance * np.max(np.abs(a))).sum())
    if wrong <= max(1, a.size // 100):
        return (
            f"{wrong} of {a.size} elements differ: a tie or a kink decided differently "
            "(max-pooling, ReLU at zero), or an index out of place"
        )
    return None


def _precision(a: np.ndarray, b: np.ndarray, dtype: np.dtype) -> str:
    """Tell reduced precision from another result altogether."""
    typical = float(np.sqrt(np.mean((a - b) ** 2) / np.mean(a**2)))
    if dtype == np.float32 and 2e-5 < typical < 2e-3:
        return (
            f"a relative error of {typical:.0e} everywhere, as of TF32 or float16 products "
            "(CUPY_TF32, torch.set_float32_matmul_precision)"
        )
    if dtype == np.float64 and 1e-9 < typical < 1e-6:
        return f"a relative error of {typical:.0e} everywhere: float32 somewhere on the way"
    return f"other values everywhere (relative error {typical:.1e} in the mean)"
