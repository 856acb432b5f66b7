"""Schedules: worked by hand, against closed formulas, and against PyTorch's schedulers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from xpconv import schedule

EPOCHS = 30


def rates(torch: Any, make: Any, steps: int) -> list[float]:
    """The factors of a PyTorch scheduler: the rates of an optimiser whose rate is 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


def test_step_by_hand() -> None:
    step = schedule.StepLR(2, gamma=0.1)
    assert [step(t) for t in (0, 1.999, 2, 3.5)] == pytest.approx([1, 1, 0.1, 0.1])
    assert step(5.0) == pytest.approx(0.01)


def test_cosine_by_hand() -> None:
    cosine = schedule.CosineAnnealingLR(4, eta_min_factor=0.5)
    assert [cosine(t) for t in (0, 2, 4)] == pytest.approx([1.0, 0.75, 0.5])
    assert cosine(4 / 3) == pytest.approx(0.5 + 0.5 * 0.75)  # cos 60 degrees is a half


def test_one_cycle_by_hand() -> None:
    cycle = schedule.OneCycleLR(10, pct_start=0.4, div_factor=10, final_div_factor=100)
    assert [cycle(t) for t in (0, 4, 10, 11)] == pytest.approx([0.1, 1.0, 0.001, 0.001])
    assert cycle(2) == pytest.approx((0.1 + 1.0) / 2)
    assert cycle(7) == pytest.approx((1.0 + 0.001) / 2)


@pytest.mark.parametrize(("pct_start", "first"), [(0.0, 1.0), (1.0, 0.04)])
def test_one_cycle_without_a_rise_or_a_fall(pct_start: float, first: float) -> None:
    cycle = schedule.OneCycleLR(10, pct_start=pct_start)
    assert cycle(0) == pytest.approx(first)
    assert cycle(10) == pytest.approx(0.04 / 1e4)


def test_step_follows_pytorch(torch: Any) -> None:
    theirs = rates(torch, lambda o: torch.optim.lr_scheduler.StepLR(o, 7, gamma=0.3), EPOCHS)
    ours = schedule.StepLR(7, gamma=0.3)
    np.testing.assert_allclose([ours(t) for t in range(EPOCHS)], theirs, rtol=1e-12)


@pytest.mark.parametrize("eta_min", [0.0, 0.2])
def test_cosine_follows_pytorch(torch: Any, eta_min: float) -> None:
    """Past ``T_max`` too, where it rises again."""
    make = torch.optim.lr_scheduler.CosineAnnealingLR
    theirs = rates(torch, lambda o: make(o, T_max=20, eta_min=eta_min), EPOCHS)
    ours = schedule.CosineAnnealingLR(20, eta_min_factor=eta_min)
    np.testing.assert_allclose([ours(t) for t in range(EPOCHS)], theirs, rtol=1e-9, atol=1e-15)


def test_one_cycle_follows_pytorch(torch: Any) -> None:
    """PyTorch's whole steps are stretched onto our time, which reaches both ends exactly."""
    steps, pct = 200, 0.3
    make = torch.optim.lr_scheduler.OneCycleLR
    theirs = rates(
        torch,
        lambda o: make(o, max_lr=1.0, total_steps=steps + 1, pct_start=pct, cycle_momentum=False),
        steps,
    )
    ours = schedule.OneCycleLR(1.0, pct_start=pct)
    top = pct * (steps + 1) - 1
    for step, expected in enumerate(theirs):
        t = pct * step / top if step <= top else pct + (1 - pct) * (step - top) / (steps - top)
        assert ours(t) == pytest.approx(expected, rel=1e-9)


METRICS = [5, 4, 4, 4, 3.9997, 3.99, 4, 4, 4, 4, 4, 4, 1, 1, math.nan, 1, 1, 1, 1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "settings",
    [
        {"factor": 0.5, "patience": 1},
        {"factor": 0.5, "patience": 2, "cooldown": 2},
        {"factor": 0.1, "patience": 0, "threshold": 0.01, "cooldown": 1},
    ],
)
def test_plateau_follows_pytorch(torch: Any, mode: str, settings: dict[str, Any]) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode=mode, min_lr=1e-3, **settings
    )
    ours = schedule.ReduceLROnPlateau(mode=mode, min_factor=1e-3, **settings)
    for epoch, metric in enumerate(METRICS):
        value = metric if mode == "min" else 1 / metric
        assert ours(epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        theirs.step(value)
        ours.observe(value)


def test_plateau_by_hand() -> None:
    plateau = schedule.ReduceLROnPlateau(factor=0.5, patience=1, min_factor=0.3)
    factors = []
    for metric in (1.0, 1.0, 1.0, 1.0, 1.0, 0.5):
        plateau.observe(metric)
        factors.append(plateau(0.0))
    assert factors == [1.0, 1.0, 0.5, 0.5, 0.3, 0.3]


ALL = {
    "step": lambda **kw: schedule.StepLR(3, **kw),
    "cosine": lambda **kw: schedule.CosineAnnealingLR(10, **kw),
    "one_cycle": lambda **kw: schedule.OneCycleLR(10, **kw),
    "lambda": lambda **kw: schedule.LambdaLR(lambda t: 0.9**t, **kw),
    "plateau": lambda **kw: schedule.ReduceLROnPlateau(patience=0, **kw),
}


@pytest.mark.parametrize("name", ALL)
def test_warmup_multiplies(name: str) -> None:
    cold, warm = ALL[name](), ALL[name](warmup=4)
    assert warm(0) == 0.0
    for t in (0.5, 1.0, 3.0):
        assert warm(t) == pytest.approx(cold(t) * t / 4)
    for t in (4.0, 5.5, 9.0):
        assert warm(t) == cold(t)


def test_warmup_follows_pytorch(torch: Any) -> None:
    """`ChainedScheduler` multiplies in the same way; its ramp cannot begin at 0, only near it."""
    scheduler = torch.optim.lr_scheduler
    theirs = rates(
        torch,
        lambda o: scheduler.ChainedScheduler(
            [
                scheduler.LinearLR(o, start_factor=1e-12, total_iters=5),
                scheduler.StepLR(o, 7, gamma=0.3),
            ]
        ),
        EPOCHS,
    )
    ours = schedule.StepLR(7, gamma=0.3, warmup=5)
    np.testing.assert_allclose([ours(t) for t in range(EPOCHS)], theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ALL)
def test_state_round_trip(name: str) -> None:
    one, other = ALL[name](), ALL[name]()
    metrics = [1.0, 0.9, 0.9, 1.1, 0.5, 0.6]
    for metric in metrics[:3]:
        one.observe(metric)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for metric in metrics[3:]:
        assert one(2.0) == other(2.0)
        one.observe(metric)
        other.observe(metric)
    assert one(2.0) == other(2.0)
    assert one.state_dict() == other.state_dict()


def test_state_brings_the_settings_too() -> None:
    """A resumed run goes on along the curve that it began."""
    resumed = schedule.OneCycleLR(99, pct_start=0.9, warmup=3)
    resumed.load_state_dict(schedule.OneCycleLR(10).state_dict())
    assert [resumed(t) for t in (0, 1, 5)] == [schedule.OneCycleLR(10)(t) for t in (0, 1, 5)]


def test_state_leaves_the_function_alone() -> None:
    state = schedule.LambdaLR(lambda t: t, warmup=2).state_dict()
    assert state == {"kind": "LambdaLR", "values": {"warmup": 2.0}}


def test_lambda_is_a_function() -> None:
    assert schedule.LambdaLR(lambda t: 3 * t)(2.0) == 6.0
    with pytest.raises(TypeError, match="lr_lambda must be a function, got float"):
        schedule.LambdaLR(0.5)  # type: ignore[arg-type]


def test_state_of_another_kind() -> None:
    with pytest.raises(ValueError, match="the state is of StepLR, this schedule is OneCycleLR"):
        schedule.OneCycleLR(3).load_state_dict(schedule.StepLR(3).state_dict())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedule.StepLR(0), "step_size must be above 0, got 0"),
        (lambda: schedule.StepLR(1, warmup=-1), "warmup must be at least 0, got -1"),
        (lambda: schedule.CosineAnnealingLR(-2), "T_max must be above 0, got -2"),
        (
            lambda: schedule.CosineAnnealingLR(2, eta_min_factor=-1),
            "eta_min_factor must be at least 0",
        ),
        (lambda: schedule.OneCycleLR(0), "total must be above 0, got 0"),
        (lambda: schedule.OneCycleLR(1, pct_start=1.5), "pct_start must be between 0 and 1"),
        (lambda: schedule.OneCycleLR(1, div_factor=0), "div_factor must be above 0"),
        (lambda: schedule.ReduceLROnPlateau(factor=1.0), r"factor must be below 1, got 1\.0"),
        (lambda: schedule.ReduceLROnPlateau(mode="best"), "mode must be 'min' or 'max'"),
        (lambda: schedule.ReduceLROnPlateau(patience=-1), "patience must be at least 0"),
        (lambda: schedule.ReduceLROnPlateau(threshold=math.nan), "threshold must be at least 0"),
    ],
)
def test_bad_settings(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_base_class_has_no_curve() -> None:
    with pytest.raises(NotImplementedError):
        schedule.Schedule()(0.0)
