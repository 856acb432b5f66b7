"""The stand-in takes what NVIDIA's package takes: names and order of parameters, and of members.

Where the package is installed; no library and no device is asked for.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.cudnn import stand_in
from tests.engines.test_engines import problem_of
from xpconv.engines._cudnn import _graph, _library
from xpconv.engines._cudnn._graph import Key, graph_of


@pytest.fixture(scope="module")
def package() -> Any:
    """NVIDIA's package."""
    try:
        return importlib.import_module("cudnn")
    except ImportError as error:
        pytest.skip(f"cuDNN's front end is not installed, pip install '.[cudnn]' ({error})")


def names(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def said(package: Any, method: str) -> list[list[str]]:
    """Parameters of the compiled graph's method, as its docstring lists them, for each overload."""
    text = getattr(package._pybind_module.backend_graph, method).__doc__
    lists = re.findall(rf"{method}\(self: [^,]*, (.*)\) -> ", text)
    return [re.findall(r"(\w+): ", re.sub(r"<[^>]*>", "", line)) for line in lists]


def test_functions(package: Any) -> None:
    for name in ("backend_version", "create_handle", "set_stream"):
        mine = getattr(stand_in, name)
        theirs = getattr(package, name)
        if not inspect.isbuiltin(theirs):
            assert names(mine) == names(theirs)
    assert not issubclass(package.cudnnGraphNotSupportedError, RuntimeError)
    assert issubclass(package.cudnnGraphNotSupportedError, Exception)


@pytest.mark.parametrize("name", ["__init__", "tensor", "execute"])
def test_methods_whose_first_parameters_are_the_same(package: Any, name: str) -> None:
    mine = names(getattr(stand_in.pygraph, name))
    assert mine == names(getattr(package.pygraph, name))[: len(mine)]


@pytest.mark.parametrize(
    "name",
    [
        "validate",
        "build_operation_graph",
        "check_support",
        "get_execution_plan_count",
        "get_plan_name_at_index",
        "build_plan_at_index",
        "create_execution_plans",
        "deselect_workspace_greater_than",
        "deselect_numeric_notes",
        "deselect_behavior_notes",
    ],
)
def test_methods_with_the_same_parameters(package: Any, name: str) -> None:
    assert names(getattr(stand_in.pygraph, name)) == names(getattr(package.pygraph, name))


@pytest.mark.parametrize("name", ["conv_fprop", "conv_dgrad", "conv_wgrad", "bias", "relu"])
def test_operations(package: Any, name: str) -> None:
    mine = names(getattr(stand_in.pygraph, name))
    assert any(mine == theirs[: len(mine)] for theirs in said(package, name))


@pytest.mark.parametrize(
    "name", ["set_output", "set_uid", "set_dim", "set_stride", "set_data_type"]
)
def test_setters(package: Any, name: str) -> None:
    assert len(names(getattr(stand_in.Tensor, name))) == 1
    assert len(names(getattr(package.Tensor, name))) == 1


@pytest.mark.parametrize("name", ["data_type", "heur_mode", "numerical_note", "behavior_note"])
def test_members(package: Any, name: str) -> None:
    mine = {member.name for member in getattr(stand_in, name)}
    theirs = set(getattr(package, name).__members__)
    assert mine <= theirs
    if name == "numerical_note":  # a new one may have to be left out
        assert mine == theirs


@pytest.mark.parametrize("task", ["forward", "input_grad", "weight_grad"])
def test_the_package_writes_the_graph_down(
    package: Any, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """Its own description of what it was told: operations, parameters, sizes and steps."""
    monkeypatch.setattr(_graph, "front_end", lambda: package)
    problem = problem_of(padding=((2, 0), (1, 3)), stride=2, groups=2)
    problem = dataclasses.replace(problem, dtype="float16")
    forward = task == "forward"
    key = Key(problem, task, forward, "relu" if forward else None, False, True, 1, 0)
    told = graph_of(key).inspect()
    operations = [node["type"] for node in told["nodes"]]
    first = {"forward": "CONV_FPROP", "input_grad": "CONV_DGRAD", "weight_grad": "CONV_WGRAD"}
    assert operations == [first[task], *(["POINTWISE"] * 2 if forward else [])]
    steps = told["nodes"][0]["params"]
    assert {k: list(v) for k, v in steps.items() if k != "convolution_mode"} == {
        "pre_padding": [2, 1],
        "post_padding": [0, 3],
        "stride": [2, 2],
        "dilation": [1, 1],
    }
    outside = {t["uid"]: t for t in told["tensors"].values() if not t["is_virtual"]}
    sizes = {
        "image": ((2, 4, 7, 6), (168, 1, 24, 4)),
        "kernel": ((6, 2, 3, 3), (18, 1, 6, 2)),
        "output": ((2, 6, 4, 4), (96, 1, 24, 6)),
    }
    roles = {
        "forward": ("image", "kernel", "output"),
        "input_grad": ("output", "kernel", "image"),
        "weight_grad": ("image", "output", "kernel"),
    }[task]
    for uid, role in zip((_graph.FIRST, _graph.SECOND, _graph.RESULT), roles):
        assert (tuple(outside[uid]["dim"]), tuple(outside[uid]["stride"])) == sizes[role]
    if forward:
        assert tuple(outside[_graph.BIAS]["dim"]) == (1, 6, 1, 1)
    assert len(outside) == 3 + forward


def test_it_says_that_the_library_is_missing_or_gives_its_version(package: Any) -> None:
    _library.refusal.cache_clear()
    reason = _library.refusal()
    assert reason is None or reason.startswith("cuDNN's front end does not find the library")
