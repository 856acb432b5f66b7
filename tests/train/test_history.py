"""The history of a run."""

from __future__ import annotations

import pytest

from xpconv.train import History


def test_columns_and_rows() -> None:
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    history = History(rows)
    assert history["loss"] == [0.5, 0.25]
    assert list(history) == rows
    assert len(history) == 2
    assert repr(history) == "History(2 epochs, last: {'epoch': 2, 'loss': 0.25})"
    history.rows[0]["loss"] = 7
    assert rows[0]["loss"] == 0.5


def test_empty() -> None:
    assert repr(History()) == "History(0 epochs)"
    assert History()["loss"] == []


def test_unknown_column() -> None:
    with pytest.raises(KeyError, match=r"no column 'acc'; there are \['epoch', 'loss'\]"):
        History([{"epoch": 1, "loss": 0.5}])["acc"]
