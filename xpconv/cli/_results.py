"""What a training run leaves in its directory."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, checkpoint, ops
from ..data import ArrayDataset
from ..plots import draw_confusion, draw_learning_curves
from ..train import Trainer
from ._files import to_json
from ._weights import WEIGHTS, Card
from ._words import accuracy_in_words

CURVES = "learning_curves.png"
CONFUSION = "confusion_matrix.png"
METRICS = "metrics.json"
LIBRARIES = ("numpy", "array-api-compat", "array-api-extra", "scikit-learn", "safetensors")
DISTRIBUTIONS = {
    "cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"),
    "torch": ("torch",),
    "array_api_strict": ("array-api-strict",),
}


def write_results(
    out: Path, trainer: Trainer, card: Card, settings: Mapping[str, Any], test: ArrayDataset
) -> dict[str, Any]:
    """Test a trained model and write weights, pictures and numbers, each file in one step.

    Returns
    -------
    dict
        What is in ``metrics.json``, and the names of the ``files``.
    """
    result = trainer.evaluate(test)
    logits = trainer.predict(test.x)
    rows = trainer.history.rows
    title = f"{card.name}, {accuracy_in_words(result['accuracy'], len(test))}"
    metrics = {
        "test_accuracy": result["accuracy"],
        "test_loss": result["loss"],
        "test_images": len(test),
        "backend": str(trainer.backend),
        "seconds": sum(row["seconds"] for row in rows),
        "parameters": trainer.model.num_parameters,
        "settings": dict(settings),
        "history": rows,
        "versions": versions(trainer.backend.name),
    }
    checkpoint.save_weights(out / WEIGHTS, trainer.model, card.to_metadata())
    for name, content in (
        (CURVES, draw_learning_curves(rows, title, "test")),
        (CONFUSION, _confusion(test, logits, title)),
        (METRICS, to_json(metrics).encode()),
    ):
        with checkpoint.replacing(out / name) as temporary:
            temporary.write_bytes(content)
    return {**metrics, "files": [METRICS, WEIGHTS, CURVES, CONFUSION]}


def _confusion(test: ArrayDataset, logits: np.ndarray, title: str) -> bytes:
    probabilities = np.asarray(ops.softmax(logits))
    return draw_confusion(
        test.y,
        np.argmax(logits, axis=-1),
        images=test.x[:, 0],
        confidence=np.max(probabilities, axis=-1),
        num_classes=logits.shape[-1],
        title=title,
    )


def versions(backend: str) -> dict[str, str]:
    """Return the versions that decide a run's numbers."""
    found = {"python": platform.python_version(), "xpconv": __version__}
    for name in (*LIBRARIES, *DISTRIBUTIONS.get(backend, ())):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
