"""What imports what: array libraries stay behind their walls, `import xpconv` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import xpconv

PACKAGE = Path(xpconv.__file__).parent
LIBRARIES = {"numpy", "cupy", "cupyx", "torch", "jax", "array_api_strict", "scipy"}
EXTRAS = [
    "cudnn",
    "cupy",
    "torch",
    "scipy",
    "sklearn",
    "matplotlib",
    "rich",
    "safetensors",
    "PIL",
    "jax",
    "numba",
]
REQUIRED = {"numpy", "array_api_compat", "array_api_extra"}

# floors that ask the array which library it is from
ABOVE_LIBRARIES = ("ops", "nn", "train", "optim", "schedule", "models")
WITHOUT_LIBRARIES = ("_arrays.py", "_shapes.py", "_typing.py")


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path, top_only: bool = False) -> Iterator[str]:
    """Names of the outside packages that a file imports; with ``top_only`` not inside functions."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]
        inside_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if not (top_only and (inside_function or _is_type_checking(node))):
            todo.extend(ast.iter_child_nodes(node))


def _is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", files(), ids=relative)
def test_the_mathematics_names_no_library(path: Path) -> None:
    name = relative(path)
    floor = name.partition("/")[0].removesuffix(".py")
    if floor in ABOVE_LIBRARIES or name in WITHOUT_LIBRARIES:
        assert not LIBRARIES & set(imported(path))


# Bodies for one array library's extra: only what has asked for it imports them.
COMPILED = "engines/_numba/"


@pytest.mark.parametrize("path", files(), ids=relative)
def test_optional_packages_are_imported_inside_functions(path: Path) -> None:
    known = REQUIRED | {"xpconv"} | sys.stdlib_module_names
    if relative(path).startswith(COMPILED):
        known |= {"numba", "llvmlite"}
    assert set(imported(path, top_only=True)) <= known


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=PACKAGE.parent,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_takes_no_extra_with_it() -> None:
    loaded = fresh(f"import sys, xpconv; print([m for m in {EXTRAS} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_a_numpy_convolution_takes_no_extra_with_it() -> None:
    code = f"""
import os
os.environ["XPCONV_NUMBA"] = "0"
import sys, numpy as np, xpconv
from xpconv import nn, ops
y, back = ops.vjp(ops.conv2d, np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)))
back(y)
print([m for m in {EXTRAS} if m in sys.modules])
"""
    assert fresh(code).strip() == "[]"


def test_everything_imports_with_the_required_packages_alone() -> None:
    """Each module of the package can be imported where no optional package is."""
    code = f"""
import importlib, pkgutil, sys
class Hider:
    def find_spec(self, name, path=None, target=None):
        if name in {EXTRAS}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hider())
import xpconv
for module in pkgutil.walk_packages(xpconv.__path__, "xpconv."):
    if not module.name.endswith("__main__") and "._numba." not in module.name:
        importlib.import_module(module.name)
print("imported")
"""
    assert fresh(code).strip() == "imported"


def test_files_stay_short() -> None:
    """A soft cap of 250 lines; documentation may take a file somewhat beyond it."""
    long = {
        relative(path): count
        for path in files()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
