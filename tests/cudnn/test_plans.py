"""Which kernels are chosen, how long they are kept, and what happens where there is none."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpconv
from tests.cudnn import host, stand_in
from tests.engines.test_engines import problem_of
from tests.refusals import refused
from xpconv import engines
from xpconv.engines import _select, cudnn
from xpconv.engines._cudnn import _library, _plans

X = np.ones((2, 7, 6, 4), dtype=np.float32)
WEIGHT = np.ones((6, 4, 3, 3), dtype=np.float32)
PROBLEM = problem_of().of(X)


def convolve(dtype: str = "float32", **changes: Any) -> np.ndarray:
    """A convolution by the engines that are allowed."""
    problem = dataclasses.replace(PROBLEM, **changes)
    x = np.ones((problem.batch, *problem.in_size, 4), dtype=dtype)
    return engines.forward(problem, x, WEIGHT.astype(dtype))


@pytest.fixture
def chosen(machine: Any) -> Callable[..., str]:
    """The kernel that a convolution is computed with."""

    def kernel(dtype: str = "float32", **changes: Any) -> str:
        with xpconv.engine("cudnn"):
            convolve(dtype, **changes)
        return machine.ran[-1][1]

    return kernel


@pytest.mark.parametrize(
    ("dtype", "tf32", "kernel"),
    [
        ("float32", False, "large"),
        ("float32", True, "tensor cores"),
        ("float16", False, "tensor cores"),
        ("float64", False, "tensor cores"),
    ],
)
def test_the_first_kernel_that_loses_no_digits(
    chosen: Any, monkeypatch: pytest.MonkeyPatch, dtype: str, tf32: bool, kernel: str
) -> None:
    """Tensor cores compute float32 in TF32, which has to be allowed; the others as they are."""
    monkeypatch.setattr(_library, "tf32_allowed", lambda: tf32)
    assert chosen(dtype) == kernel


def test_what_does_not_repeat_has_to_be_asked_for(
    chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen() == "large"
    monkeypatch.setenv("XPCONV_CUDNN_DETERMINISTIC", "0")
    assert chosen() == "atomic, plain"
    monkeypatch.setenv("XPCONV_CUDNN_DETERMINISTIC", "1")
    assert chosen() == "large"
    monkeypatch.setenv("XPCONV_CUDNN_DETERMINISTIC", "perhaps")
    with refused("XPCONV_CUDNN_DETERMINISTIC must be 0 or 1"):
        chosen()


def test_the_workspace_is_bounded(chosen: Any) -> None:
    """Two images take 4096 bytes with the kernel of the best rank."""
    for budget, kernel in [(4096, "large"), (4095, "plain"), (1, "plain"), ("1MB", "large")]:
        with xpconv.conv_workspace(budget):
            assert chosen() == kernel


def test_the_workspace_is_a_gibibyte_at_most_where_nothing_is_said(
    machine: Any, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size, kernel in [(2**29, "large"), (2**29 + 1, "plain")]:
        _plans.forget()
        monkeypatch.setitem(stand_in.KERNELS, "large", (set(), size))  # for each of two images
        monkeypatch.setattr(host.Memory, "__init__", lambda self, size: taken(self, size))
        assert chosen() == kernel


def taken(memory: host.Memory, size: int) -> None:
    """Memory that nobody writes to."""
    memory.ptr = 1
    stand_in.Machine.space[1] = size


def test_memory_to_work_in_is_taken_and_given_back(machine: Any, chosen: Any) -> None:
    assert chosen() == "large"  # the stand-in sees that its workspace is alive when it runs
    assert machine.space == {}


def test_a_kernel_that_cannot_be_built_gives_way_to_the_next(machine: Any, chosen: Any) -> None:
    machine.unbuildable = ("large",)
    assert chosen() == "plain"


def test_where_none_can_be_built_the_reason_is_told(machine: Any, chosen: Any) -> None:
    machine.unbuildable = ("large", "plain")
    with pytest.raises(_plans.CudnnError, match=r"the forward of 3x3 4>6.*plain cannot be compi"):
        chosen()


def test_plans_are_made_once_for_each_problem(machine: Any, chosen: Any) -> None:
    for _ in range(3):
        chosen()
    assert machine.built == machine.devices == 1
    chosen(batch=3)
    chosen("float16")
    with xpconv.conv_workspace("7MB"):
        chosen()
    assert (machine.built, machine.devices) == (4, 1)


def test_the_least_lately_used_plans_are_dropped(
    machine: Any, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plans, "LIMIT", 2)
    for batch in (1, 2, 1, 3):  # 2 is the oldest when 3 comes
        chosen(batch=batch)
    assert machine.built == 3
    chosen(batch=1)
    assert machine.built == 3
    chosen(batch=2)
    assert machine.built == 4


def test_threads_share_plans_and_their_results_are_their_own(machine: Any) -> None:
    results: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        for _ in range(20):
            x = np.full((1, 7, 6, 4), number, dtype=np.float32)
            with xpconv.engine("cudnn"):
                y = engines.forward(dataclasses.replace(PROBLEM, batch=1), x, WEIGHT)
            results[number] = results.get(number, y)
            np.testing.assert_array_equal(y, results[number])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(2, 5):
        np.testing.assert_array_equal(results[number], number * results[1])
    assert len(machine.ran) == 80
    assert machine.devices == 1


def test_without_a_plan_the_next_engine_is_asked(
    machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    machine.unsupported = "No valid engine configs\nand a second line"
    with (
        caplog.at_level(logging.INFO, "xpconv.engines"),
        xpconv.engine("cudnn", "im2col"),
    ):
        first = convolve()
        machine.unsupported = None  # it is not asked again
        np.testing.assert_array_equal(first, convolve())
    assert machine.ran == []
    (record,) = [r for r in caplog.records if r.levelno == logging.INFO]
    assert record.getMessage() == (
        f"the forward of {PROBLEM} is left to another engine: "
        "cuDNN has no plan for it (No valid engine configs)"
    )


def test_what_was_prepared_asks_the_next_engine_too(machine: Any) -> None:
    with xpconv.engine("cudnn", "im2col"):
        run = engines.prepare(PROBLEM, WEIGHT, None, "relu")
        expected = run(X)
        assert len(machine.ran) == 1
        _plans.forget()
        machine.unsupported = "No valid engine configs"
        np.testing.assert_array_equal(run(X), expected)
    assert len(machine.ran) == 1


def test_without_a_plan_and_without_another_engine_the_reason_is_told(
    machine: Any, chosen: Any
) -> None:
    machine.unsupported = "No valid engine configs"
    with refused("engine 'cudnn' cannot solve", "no plan for it (No valid engine configs)"):
        chosen()


def test_a_budget_that_no_kernel_keeps_is_no_reason_for_ever(
    machine: Any, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.unbuildable = ("plain",)
    with xpconv.conv_workspace(1), pytest.raises(_plans.CudnnError):
        chosen()
    assert chosen() == "large"


def test_a_device_that_cudnn_cannot_use_is_left_to_others(
    machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    machine.refused = "CUDNN_STATUS_ARCH_MISMATCH"
    with xpconv.engine("cudnn", "im2col"):
        convolve()
        convolve(batch=3)
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.getMessage() == "cuDNN cannot use device 0 (CUDNN_STATUS_ARCH_MISMATCH)"
    with xpconv.engine("cudnn"), refused("cuDNN cannot use device 0"):
        convolve()


def test_a_failure_names_the_problem(machine: Any, chosen: Any) -> None:
    machine.broken = "CUDNN_STATUS_EXECUTION_FAILED\ndetails"
    with pytest.raises(_plans.CudnnError) as caught:
        chosen()
    assert str(caught.value) == (
        f"cuDNN failed in the forward of {PROBLEM}: CUDNN_STATUS_EXECUTION_FAILED"
    )


def test_out_of_memory_names_the_problem_and_what_would_fit(machine: Any, chosen: Any) -> None:
    machine.broken = "code: CUDNN_STATUS_ALLOC_FAILED"
    with pytest.raises(MemoryError, match=r"out of memory in the forward of 3x3 4>6.*would fit"):
        chosen()


def test_no_plan_is_made_while_a_graph_is_captured(
    machine: Any, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen()
    monkeypatch.setattr(host.Stream, "capturing", True)
    chosen()  # this one is there
    with pytest.raises(RuntimeError, match=r"the forward of .*batch 3.*take the same step once"):
        chosen(batch=3)
    assert machine.built == 1


def test_a_choice_of_engines_does_not_forget_who_declined(machine: Any) -> None:
    reason = (("cudnn", "no plan"),)
    with xpconv.engine("cudnn", "im2col"):
        assert _select.select(PROBLEM) is cudnn
        assert _select.select(PROBLEM, "forward", reason) is engines.im2col
        assert _select.select(PROBLEM) is cudnn
