"""`__all__` of each public module against what is there, and a docstring for every public name."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest

import xpconv

# The modules of the command line are its subcommands; what is public about them is what they print.
PUBLIC = [
    "xpconv",
    *sorted(
        module.name
        for module in pkgutil.walk_packages(xpconv.__path__, "xpconv.")
        if not any(part.startswith("_") for part in module.name.split("."))
        and not module.name.startswith("xpconv.cli.")
    ),
]
MODULES = pytest.mark.parametrize("name", PUBLIC)


def loaded(name: str) -> ModuleType:
    return importlib.import_module(name)


def own(name: str) -> dict[str, object]:
    """The public classes and functions that a module gives out and this package defines."""
    return {
        key: value
        for key in loaded(name).__all__
        if (value := getattr(loaded(name), key)) is not None
        and (inspect.isclass(value) or inspect.isroutine(value))
        and value.__module__.startswith("xpconv")
    }


@MODULES
def test_all_names_what_is_there(name: str) -> None:
    module = loaded(name)
    assert hasattr(module, "__all__"), f"{name} has no __all__"
    assert len(set(module.__all__)) == len(module.__all__)
    missing = [key for key in module.__all__ if not hasattr(module, key)]
    assert not missing


def given_out(module: ModuleType) -> set[str]:
    """Names that a module defines, or imports under their own name (``from ._a import b as b``)."""
    tree = ast.parse(inspect.getsource(module))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    passed_on = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    return {name for name in defined | passed_on if not name.startswith("_")}


@MODULES
def test_nothing_public_is_left_out_of_all(name: str) -> None:
    module = loaded(name)
    left_out = given_out(module) - set(module.__all__)
    assert not {key for key in left_out if not inspect.ismodule(getattr(module, key))}


@MODULES
def test_all_is_sorted(name: str) -> None:
    """As the linter sorts it: constants, classes, then the rest."""
    names = list(loaded(name).__all__)
    groups = [[k for k in names if k.isupper()], [k for k in names if k[0].isupper()]]
    expected = sorted(groups[0]) + sorted(set(groups[1]) - set(groups[0]), key=natural)
    expected += sorted(set(names) - set(expected), key=natural)
    assert names == expected


def natural(name: str) -> list[str | int]:
    """A key that puts ``resnet18`` before ``resnet101``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


@MODULES
def test_public_names_are_described(name: str) -> None:
    assert loaded(name).__doc__
    bare = [key for key, value in own(name).items() if not inspect.getdoc(value)]
    assert not bare


@MODULES
def test_public_methods_are_described(name: str) -> None:
    bare = [
        f"{key}.{method}"
        for key, value in own(name).items()
        if inspect.isclass(value)
        for method, function in vars(value).items()
        if not method.startswith("_")
        and (inspect.isfunction(function) or isinstance(function, property))
        and not inspect.getdoc(getattr(value, method))
    ]
    assert not bare


def test_the_top_level_gives_out_its_floors() -> None:
    for name in ("nn", "ops", "optim", "schedule", "models", "data", "checkpoint", "random"):
        assert inspect.ismodule(getattr(xpconv, name))
        assert name in dir(xpconv)
    with pytest.raises(AttributeError, match="no_such_name"):
        xpconv.no_such_name  # noqa: B018
