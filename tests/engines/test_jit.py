"""Compiled bodies come from the cache only where all of their sources are the same."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("numba")

from xpconv.engines._numba import _jit

SOURCE = """
from xpconv.engines._numba._jit import jit


@jit
def twice(x):
    return 2 * x
"""


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("module_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_cache_of_other_sources_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "module_of_a_test.py"
    path.write_text(SOURCE, encoding="utf-8")
    first = imported(path).twice
    assert first(3) == 6
    (index,) = tmp_path.rglob("*.nbi")
    assert pickle.loads(index.read_bytes()) == _jit._VERSION  # noqa: S301
    again = imported(path).twice
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1
    # What stands behind the version may name classes that are elsewhere by now.
    index.write_bytes(pickle.dumps("of other sources") + b"not to be read")
    other = imported(path).twice
    assert other(3) == 6
    assert sum(other.stats.cache_hits.values()) == 0
    assert pickle.loads(index.read_bytes()) == _jit._VERSION  # noqa: S301


def test_any_source_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "engines" / "_numba"
    folder.mkdir(parents=True)
    found = set()
    monkeypatch.setattr(_jit, "__file__", str(folder / "_jit.py"))
    for path in (folder / "_jit.py", folder / "_other.py", folder.parent / "_winograd.py"):
        path.write_text("", encoding="utf-8")
        path.write_text("changed", encoding="utf-8")
        found.add(_jit._sources())
    (folder / "_other.py").write_text("changed again", encoding="utf-8")
    found.add(_jit._sources())
    assert len(found) == 4
