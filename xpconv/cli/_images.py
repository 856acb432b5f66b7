"""From files to arrays that a model can read: pictures, and arrays of pixels."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ._errors import UsageError, require

PIXEL_MAX = 16.0
ARRAYS = (".npy", ".npz")
INK = 0.15


def read_pixels(path: Path, shape: tuple[int, ...], invert: str) -> np.ndarray:
    """Read a picture or an array file on the scale of the bundled digits.

    Parameters
    ----------
    path : Path
        A picture in any format that Pillow reads, or an ``.npy`` or ``.npz`` file.
    shape : tuple of int
        What the model takes, (C, H, W).
    invert : {"auto", "yes", "no"}
        Whether ink is dark in a picture. ``"auto"`` looks at its border.

    Returns
    -------
    numpy.ndarray of float32, shape (N, C, H, W)
        Pixels from 0 (paper) to 16 (ink).

    Raises
    ------
    UsageError
        When the file is not what it should be.
    OSError
        When there is no such file, or it may not be read.
    """
    if path.suffix.lower() in ARRAYS:
        return _read_array(path, shape)
    return _read_picture(path, shape, invert)


def _read_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    array = _load(path)
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{path} holds {array.dtype}, not numbers")
    size = int(np.prod(shape))
    fits = array.shape[-len(shape) :] == shape or (
        shape[0] == 1 and array.shape[-2:] == shape[1:] and array.ndim in (2, 3)
    )
    if not fits and not (array.ndim in (1, 2) and array.shape[-1] == size):
        wanted = "x".join(map(str, shape))
        raise UsageError(
            f"{path} has shape {array.shape}; the model takes {wanted}, alone or in a batch"
        )
    if not array.size:
        raise UsageError(f"{path} holds no images: its shape is {array.shape}")
    pixels = array.reshape(-1, *shape).astype(np.float32)
    if not np.isfinite(pixels).all():
        raise UsageError(f"{path} holds NaN or infinity")
    low, high = float(pixels.min()), float(pixels.max()) + 0.0  # which makes 0 of -0
    if low < 0 or high > PIXEL_MAX:
        raise UsageError(
            f"{path} holds values from {low:g} to {high:g}; pixels go from 0 (paper) to "
            f"{PIXEL_MAX:g} (ink), as in scikit-learn's digits"
        )
    if high <= 1:
        print(
            f"xpconv: warning: {path} holds no value above {high:g}; pixels go from 0 (paper) to "
            f"{PIXEL_MAX:g} (ink), so multiply by {PIXEL_MAX:g} what is scaled to 0..1",
            file=sys.stderr,
        )
    return pixels


def _load(path: Path) -> np.ndarray:
    """Read the array of an ``.npy`` file, or the only one of an ``.npz`` file, without pickle."""
    try:
        with path.open("rb") as file:
            found: Any = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found
            names = list(found.files)
            if len(names) != 1 and "images" not in names:
                raise UsageError(
                    f"{path} holds {len(names)} arrays ({', '.join(names)}); "
                    "give it one, or call one 'images'"
                )
            array: np.ndarray = found["images" if "images" in names else names[0]]
            return array
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is not a whole array file without pickled objects") from error


def _read_picture(path: Path, shape: tuple[int, ...], invert: str) -> np.ndarray:
    require("PIL")
    from PIL import Image, ImageOps, UnidentifiedImageError

    if shape[0] != 1:
        raise UsageError(f"pictures are read as grey, but the model takes {shape[0]} channels")
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGBA")
    except UnidentifiedImageError as error:
        raise UsageError(f"{path} is not a picture that Pillow can read") from error
    except (SyntaxError, ValueError, OSError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise UsageError(f"{path} cannot be read: {error}") from error
    paper = Image.new("RGBA", picture.size, "white")
    grey = Image.alpha_composite(paper, picture).convert("L")
    ink = np.asarray(grey, dtype=np.float32) / 255.0
    if invert == "yes" or (invert == "auto" and _border(ink) > 0.5):
        ink = 1.0 - ink
    ink -= ink.min()
    if not ink.max() > 0:
        raise UsageError(f"{path} is blank: all its pixels are equal")
    ink /= ink.max()
    if ink.shape != shape[1:]:
        ink = _fit(ink, shape[1:])
    return (PIXEL_MAX * ink).astype(np.float32).reshape(1, *shape)


def _border(ink: np.ndarray) -> float:
    """Return the brightness that most of the outermost pixels have."""
    edges = [ink[0], ink[-1], ink[:, 0], ink[:, -1]]
    return float(np.median(np.concatenate(edges)))


def _fit(ink: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Cut a picture to its ink and shrink that to fill the model's image, as the data set does.

    The digits of the data set fill their image from top to bottom, each pixel the mean of the ink
    under it.
    """
    from PIL import Image

    rows, columns = (np.flatnonzero((ink > INK).any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    scale = min(size[0] / height, size[1] / width)
    box = tuple(max(1, round(side * scale)) for side in (width, height))
    small = Image.fromarray(ink).resize(box, Image.Resampling.BOX)
    result = np.zeros(size, dtype=np.float32)
    top, left = (size[0] - box[1]) // 2, (size[1] - box[0]) // 2
    result[top : top + box[1], left : left + box[0]] = np.asarray(small)
    filled: np.ndarray = result / result.max()
    return filled
