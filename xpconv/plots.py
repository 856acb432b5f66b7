"""Pictures of a training run: its learning curves, and what it confuses with what.

Drawn by Matplotlib through its object interface, so that no window is opened and no global state is
touched. Needs ``pip install 'xpconv[train]'``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["confusion_matrix", "draw_confusion", "draw_learning_curves"]

INK, FAINT, GRID = "#22262b", "#6b7480", "#e3e7eb"
TRAINING, VALIDATION, WRONG = "#2f6fb0", "#d9822b", "#b3372f"


def confusion_matrix(labels: Any, predictions: Any, num_classes: int) -> np.ndarray:
    """Count how often each class was read as each class.

    Parameters
    ----------
    labels, predictions : array-like of int, shape (N,)
        The true classes and the predicted ones, from 0 to ``num_classes - 1``.
    num_classes : int
        Number of classes.

    Returns
    -------
    numpy.ndarray of int64, shape (num_classes, num_classes)
        One row for each true class, one column for each prediction.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    labels, predictions = (np.asarray(a, dtype=np.int64) for a in (labels, predictions))
    cells = labels * num_classes + predictions
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def draw_learning_curves(
    rows: Sequence[Mapping[str, Any]], title: str = "", held_out: str = "validation"
) -> bytes:
    """Draw loss and accuracy by epoch.

    Parameters
    ----------
    rows : sequence of mapping
        One for each epoch, with ``epoch``, ``loss``, ``accuracy`` and, where there was a validation
        set, ``val_loss`` and ``val_accuracy``.
    title : str, default ""
        A line above the picture.
    held_out : str, default "validation"
        What to call the ``val_`` curves.

    Returns
    -------
    bytes
        The picture as PNG.
    """
    figure = _figure(9.6, 3.9)
    loss, error = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    for axes, key, name in ((loss, "loss", "loss"), (error, "accuracy", "error, %")):
        for prefix, colour, label in (("", TRAINING, "training"), ("val_", VALIDATION, held_out)):
            points = [_number(row.get(prefix + key)) for row in rows]
            if key == "accuracy":
                points = [100.0 * (1.0 - share) for share in points]
            if any(map(math.isfinite, points)):
                axes.plot(epochs, points, color=colour, linewidth=1.8, label=label)
                # A curve of one epoch is a point, not nothing.
                axes.plot(epochs[-1:], points[-1:], "o", color=colour, markersize=4, clip_on=False)
        _dress(axes, name)
    _scale(loss, linear_below=None)
    _scale(error, linear_below=1.0)
    figure.suptitle(title, color=INK, fontsize=11, x=0.012, ha="left")
    return _png(figure)


def draw_confusion(
    labels: Any,
    predictions: Any,
    *,
    images: Any = None,
    confidence: Any = None,
    num_classes: int = 10,
    title: str = "",
    most: int = 12,
) -> bytes:
    """Draw the confusion matrix and some of the misread images.

    Parameters
    ----------
    labels, predictions : array-like of int, shape (N,)
        The true classes and the predicted ones.
    images : array-like, shape (N, H, W), optional
        What was read; without it the matrix stands alone.
    confidence : array-like of float, shape (N,), optional
        The probability of each prediction: the surest mistakes are shown first.
    num_classes : int, default 10
        Number of classes.
    title : str, default ""
        A line above the picture.
    most : int, default 12
        Misread images at most.

    Returns
    -------
    bytes
        The picture as PNG.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    figure = _figure(9.6, 5.2) if images is not None else _figure(5.4, 5.2)
    parts = figure.subfigures(1, 2, width_ratios=(1.25, 1.0)) if images is not None else [figure]
    _draw_matrix(parts[0].subplots(), confusion_matrix(labels, predictions, num_classes))
    if images is not None:
        wrong = np.flatnonzero(labels != predictions)
        if confidence is not None:
            confidence = np.asarray(confidence)
            wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
        _draw_misread(parts[1], np.asarray(images), labels, predictions, confidence, wrong, most)
    figure.suptitle(title, color=INK, fontsize=11, x=0.012, ha="left")
    return _png(figure)


def _draw_matrix(axes: Any, counts: np.ndarray) -> None:
    """Draw counts as text, with the diagonal in one tint and the mistakes in another."""
    from matplotlib.colors import to_rgb

    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right, wrong = np.asarray(to_rgb(TRAINING)), np.asarray(to_rgb(WRONG))
    picture = np.ones((*counts.shape, 3))
    for row, column in zip(*np.nonzero(counts), strict=True):
        part = share[row, column]
        tint, strength = (right, 0.15 + 0.6 * part) if row == column else (wrong, 0.3 + 0.7 * part)
        picture[row, column] = 1 - strength * (1 - tint)
        axes.text(
            column,
            row,
            f"{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=9 if len(counts) <= 12 else 5,
            color="white" if strength > 0.55 else INK,
        )
    axes.imshow(picture, interpolation="nearest")
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.set_xticks(np.arange(-0.5, len(counts)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(counts)), minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.6)
    axes.tick_params(which="both", length=0, colors=INK, labelsize=9)
    axes.set_xlabel("read as", color=INK)
    axes.set_ylabel("is", color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_misread(
    part: Any,
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    confidence: Any,
    wrong: np.ndarray,
    most: int,
) -> None:
    """Draw the first misread images in a grid, each with what it is and what it was read as."""
    if not len(wrong):
        part.text(0.5, 0.5, "nothing was misread", color=FAINT, ha="center", va="center")
        return
    shown = wrong[:most]
    columns = 3 if len(shown) > 4 else 2
    rows = max(2, -(-len(shown) // columns))
    grid = part.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, index in zip(grid.flat, shown, strict=False):
        axes.imshow(images[index], cmap="gray_r", interpolation="nearest")
        sure = "" if confidence is None else f", {100 * confidence[index]:.0f} %"
        axes.set_title(
            f"{labels[index]} read as {predictions[index]}{sure}", color=INK, fontsize=8, pad=3
        )
    part.suptitle(
        f"{len(wrong)} misread" + (f", {len(shown)} shown" if len(shown) < len(wrong) else ""),
        color=FAINT,
        fontsize=9,
    )


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=140, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _dress(axes: Any, name: str) -> None:
    """Give axes of curves their quiet frame."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch", color=INK, fontsize=9)
    axes.set_title(name, color=INK, fontsize=10, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=FAINT, labelsize=9, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)


def _scale(axes: Any, linear_below: float | None) -> None:
    """Choose a logarithmic scale where the values span more than one order of magnitude.

    ``linear_below`` is where the scale turns linear, to reach zero; None if it need not.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = [y for line in axes.lines for y in line.get_ydata() if math.isfinite(y)]
    if not values:
        return
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper right")
    low = min(values) if linear_below is None else max(min(values), linear_below)
    if low <= 0 or max(values) < 10 * low:
        axes.set_ylim(bottom=0)
        return
    if linear_below is None:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    else:
        axes.set_yscale("symlog", linthresh=linear_below, linscale=0.5)
        axes.set_yticks([tick for tick in (0, 1, 3, 10, 30, 100) if tick <= 1.5 * max(values)])
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
