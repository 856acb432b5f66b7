"""Pictures: what is counted, what is drawn, and that nothing odd in a run breaks them."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

import numpy as np
import pytest

from xpconv import plots


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def pixels(png: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def has_colour(png: bytes, colour: str) -> bool:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(pixels(png) - wanted).max(axis=-1) <= 3).any())


def rows(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "epoch": index + 1,
            "loss": 2.0 * 0.7**index,
            "accuracy": 1.0 - 0.8 * 0.7**index,
            "val_loss": 2.1 * 0.75**index,
            "val_accuracy": 0.99 - 0.8 * 0.75**index,
            **changes,
        }
        for index in range(count)
    ]


def test_confusion_matrix_counts_pairs() -> None:
    labels, predictions = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 0, 2]
    desired = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    np.testing.assert_array_equal(plots.confusion_matrix(labels, predictions, 3), desired)


def test_confusion_matrix_of_nothing() -> None:
    np.testing.assert_array_equal(plots.confusion_matrix([], [], 2), np.zeros((2, 2)))


@pytest.mark.parametrize("count", [1, 2, 30])
def test_learning_curves_show_both_sets(count: int) -> None:
    png = plots.draw_learning_curves(rows(count), "a title", "test")
    width, height = size_of(png)
    assert width > 1000 < 3 * height
    assert has_colour(png, plots.TRAINING)
    assert has_colour(png, plots.VALIDATION)


def test_learning_curves_without_validation_show_one() -> None:
    png = plots.draw_learning_curves(rows(4, val_loss=None, val_accuracy=None))
    assert has_colour(png, plots.TRAINING)
    assert not has_colour(png, plots.VALIDATION)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": math.nan, "val_loss": math.inf},
        {"loss": math.nan, "val_loss": math.nan, "accuracy": math.nan, "val_accuracy": math.nan},
        {"loss": 0.0, "val_loss": 0.0},
        {"accuracy": 1.0, "val_accuracy": 1.0},
        {"accuracy": 0.0, "val_accuracy": 1.0},
        {"loss": 1e30, "val_loss": 1e-30},
    ],
)
def test_learning_curves_of_odd_runs(changes: dict[str, float]) -> None:
    size_of(plots.draw_learning_curves(rows(3, **changes)))


def test_learning_curves_of_no_epochs() -> None:
    size_of(plots.draw_learning_curves([]))


def test_confusion_shows_mistakes_in_their_colour() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=100)
    right = plots.draw_confusion(labels, labels)
    wrong = plots.draw_confusion(labels, np.where(np.arange(100) < 60, (labels + 1) % 10, labels))
    reddish = [int(((p := pixels(png))[..., 0] > p[..., 2] + 40).sum()) for png in (right, wrong)]
    assert reddish[0] == 0 < reddish[1]


@pytest.mark.parametrize("mistakes", [0, 1, 4, 5, 30])
def test_confusion_with_misread_images(mistakes: int) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=40)
    predictions = labels.copy()
    predictions[:mistakes] = (labels[:mistakes] + 1) % 10
    images = rng.random((40, 8, 8))
    png = plots.draw_confusion(
        labels, predictions, images=images, confidence=rng.random(40), title="t"
    )
    width, height = size_of(png)
    assert width > height
    size_of(plots.draw_confusion(labels, predictions, images=images))


def test_the_same_run_gives_the_same_bytes() -> None:
    assert plots.draw_learning_curves(rows(5)) == plots.draw_learning_curves(rows(5))


def test_no_global_state_of_matplotlib_is_touched() -> None:
    import matplotlib.pyplot

    plots.draw_learning_curves(rows(2))
    assert not matplotlib.pyplot.get_fignums()
