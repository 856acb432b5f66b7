"""What the benchmarks do on a GPU only, as far as it can be tried without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks import _devices, _report, layers, training
from benchmarks._cases import INFERENCE, TRAINING, LayerCase, to_json
from benchmarks._fingerprint import difference, fingerprint

LENET = next(case for case in TRAINING if case.batch == 16)


def peers(torch: Any, **config: Any) -> list[Any]:
    from benchmarks._peers import load

    libraries: tuple[dict[str, Any], ...] = (
        {"library": "torch", "device": "cpu"},
        {"library": "xpconv", "backend": "torch"},
    )
    return [load({"threads": 1, **library, **config}) for library in libraries]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("mode", ["training step", INFERENCE])
def test_both_libraries_compute_the_same_in_every_precision(
    torch: Any, dtype: str, mode: str
) -> None:
    case = replace(LENET, dtype=dtype, mode=mode, pool=2)
    theirs, ours = (peer.training(case).outputs() for peer in peers(torch, dtype=dtype))
    tolerance = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}[dtype]
    assert list(theirs) == list(ours)
    for name, value in theirs.items():
        assert difference(fingerprint(value), fingerprint(ours[name])) < tolerance


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_layers_in_half_precision(torch: Any, dtype: str) -> None:
    case = LayerCase("small", "other", 4, 6, 9, 3, padding=1, batch=2, dtype=dtype)
    for mode in ("forward", "forward+backward"):
        theirs, ours = (peer.layer(replace(case, mode=mode)).outputs() for peer in peers(torch))
        for name, value in theirs.items():
            assert value.dtype == ours[name].dtype == np.float32
            assert difference(fingerprint(value), fingerprint(ours[name])) < 5e-2


def test_the_twin_of_resnet50_is_one(torch: Any) -> None:
    from benchmarks._peers._torch_models import build
    from xpconv import models

    model, twin = models.get_model("resnet50", num_classes=10), build("resnet50", 3, 10).eval()
    state = {key: torch.tensor(np.asarray(value)) for key, value in model.state_dict().items()}
    twin.load_state_dict(state, strict=True)
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64), dtype=np.float32)
    with torch.inference_mode():
        expected = twin(torch.tensor(x)).numpy()
    np.testing.assert_allclose(model(x), expected, rtol=1e-3, atol=1e-4)


class Clock:
    """A device where a call takes two seconds, of which the host works for one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(_devices.time, "perf_counter", lambda: self.now)

    def call(self) -> None:
        self.now += 1.0

    def wait(self) -> None:
        self.now += 1.0

    def time(self, run: Callable[[], Any]) -> float:
        run()
        return 2.0


def test_host_time_leaves_the_waiting_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert _devices._until_it_returns(clock.call, clock.wait) == 1.0


def test_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    found = _devices.peaks(clock, clock.call, clock.call)  # type: ignore[arg-type]
    assert found == {
        "peak TFLOP/s": f"{2 * 8192**3 / 2 / 1e12:.1f}",  # 8192 products and sums for each number
        "peak GB/s": f"{2 * 2**30 / 2 / 1e9:.0f}",  # read and written
    }


def test_the_report_has_host_times_and_throughput() -> None:
    case = LayerCase("1x1", "table", 1000, 1000, 10, 1, batch=10)  # 2 GFLOP
    assert case.flops == 2e9
    times = {"turns": [{"minimum": 1e-3, "median": 2e-3, "calls": 1}], "scale": 1}
    row = {
        "case": to_json(case),
        "times": {"xpconv": times},
        "host": {"xpconv": 25e-6},
        "notes": {},
        "differences": {},
    }
    report = {
        "title": "A run",
        "machine": {},
        "libraries": {"xpconv": {"peak TFLOP/s": "50.0"}},
        "settings": {"statistic": "median", "dtype": "float32", "threads": 1, "rounds": 1},
        "problems": [],
        "rows": [row],
    }
    text = _report.markdown(report)
    assert "| xpconv | peak TFLOP/s 50.0 |" in text
    assert "| 1x1, batch 10, forward | 0.025 (1.00) |" in text  # ms; 2 GFLOP in 2 ms
    report["rows"] = [{key: value for key, value in row.items() if key != "host"}]
    assert "Host" not in _report.markdown(report)


@pytest.mark.parametrize("backend", ["numpy", "cupy"])
def test_networks_for_gpus_run_there(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    modes = ["--modes", "training step", "inference"]
    assert training.main(["--list", "--backend", backend, *modes]) == 0
    listed = capsys.readouterr().out
    assert ("ResNet-50 224², batch 64, inference" in listed) is (backend == "cupy")
    assert "LeNet-5 28², batch 128, training step" in listed


def test_layers_of_the_gpu_run(capsys: pytest.CaptureFixture[str]) -> None:
    """As many rows as ci/gpu.sh has time for."""
    options = ["--cases", "table", "lenet", "--batches", "16", "64", "--backend", "cupy"]
    assert layers.main(["--list", *options]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 36
