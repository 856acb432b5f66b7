"""The doctor reports what is there, and what is broken, and never breaks itself."""

from __future__ import annotations

import builtins
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xpconv import __version__, backend, doctor
from xpconv.cli import doctor as face


@pytest.fixture(autouse=True)
def forget_probes() -> Any:
    """What one test makes the machine look like is not remembered by the next."""
    backend._failure.cache_clear()
    yield
    backend._failure.cache_clear()


def hide(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make packages look as if they were not installed."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    for name in names:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", without)


def text(report: dict[str, Any]) -> str:
    return "\n".join(f"{a}: {b}" for _, lines in face.sections(report) for a, b in lines)


def test_report_is_whole_and_fit_for_json() -> None:
    report = doctor.examine()
    assert json.loads(json.dumps(report)) == report
    assert report["xpconv"] == __version__
    assert report["packages"]["numpy"] == np.__version__
    assert [entry["name"] for entry in report["backends"]] == list(doctor.BACKENDS)
    assert report["default"] == {"backend": "numpy", "reason": "XPCONV_BACKEND is not set"}
    first = report["devices"][0]
    assert first["backend"] == "numpy"
    assert first["device"]
    assert first["memory"]["total"] > first["memory"]["free"] > 0


def test_every_finding_is_shown() -> None:
    shown = text(doctor.examine())
    for part in (f"xpconv: {__version__}", "numpy: works", "GiB free", "auto: ", "cores: count"):
        assert part in shown


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "cupy", "torch", "array_api_strict", "threadpoolctl")
    report = doctor.examine()
    reasons = {entry["name"]: entry["reason"] for entry in report["backends"]}
    assert reasons["numpy"] is None
    assert "pip install torch" in reasons["torch"]
    assert "pip install 'cupy-cuda13x[ctk]'" in reasons["cupy"]
    assert report["cuda"] == {"cupy": "not installed"}
    assert "torch" not in report["tf32"]
    assert "pip install threadpoolctl" in text(report)


def test_a_library_that_cannot_be_probed_does_not_hide_the_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dies(spec: str) -> Any:
        raise RuntimeError("gone")

    monkeypatch.setattr(doctor, "_device_name", dies)
    report = doctor.examine()
    assert report["devices"][0]["device"] == {"error": "RuntimeError: gone"}
    assert "numpy: cannot tell: RuntimeError: gone, " in text(report)


def test_a_broken_library_is_a_line_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(spec: Any = None) -> Any:
        if str(spec).startswith(("cupy", "torch")):
            raise OSError("libbroken.so: cannot open shared object file\nand a second line")
        return real(spec)

    real = doctor.get_backend
    monkeypatch.setattr(doctor, "get_backend", broken)
    monkeypatch.setattr(doctor, "explain_auto", lambda: 1 / 0)
    report = doctor.examine()
    reasons = {entry["name"]: entry["reason"] for entry in report["backends"]}
    assert reasons["torch"] == "OSError: libbroken.so: cannot open shared object file"
    assert report["auto"] == {"error": "ZeroDivisionError: division by zero"}
    assert "auto: cannot tell: ZeroDivisionError: division by zero" in text(report)


@pytest.mark.parametrize(
    "probe",
    ["_devices", "_cuda", "_threads", "_tf32", "_workspace", "_default", "_auto", "_version"],
)
def test_no_probe_can_break_the_report(monkeypatch: pytest.MonkeyPatch, probe: str) -> None:
    def dies(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(doctor, probe, dies)
    report = doctor.examine()
    json.dumps(report)
    assert "cannot tell: RuntimeError" in text(report)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", "array_api_strict:device1")
    monkeypatch.setenv("XPCONV_WORKSPACE", "2MB")
    monkeypatch.setenv("CUPY_TF32", "1")
    monkeypatch.setenv("HOME_OF_SECRETS", "hidden")
    report = doctor.examine()
    assert report["environment"]["XPCONV_WORKSPACE"] == "2MB"
    assert report["environment"]["CUPY_TF32"] == "1"
    assert "HOME_OF_SECRETS" not in report["environment"]
    assert report["tf32"]["cupy"] == "on"
    assert "2,097,152 bytes" in report["workspace"]["convolution"]
    assert report["default"]["reason"] == "XPCONV_BACKEND"


def test_a_wrong_environment_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_BACKEND", "abacus")
    monkeypatch.setenv("XPCONV_WORKSPACE", "lots")
    report = doctor.examine()
    assert "unknown backend 'abacus'" in report["default"]["error"]
    assert "got 'lots'" in report["workspace"]["error"]


def test_cuda_versions_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("no such library")

    cupy: Any = ModuleType("cupy")
    cupy.cuda = SimpleNamespace(
        runtime=SimpleNamespace(driverGetVersion=lambda: 0, runtimeGetVersion=lambda: 13020),
        nvrtc=SimpleNamespace(getVersion=lambda: (13, 1)),
        cublas=SimpleNamespace(getVersion=lambda handle: 130000),
        device=SimpleNamespace(get_cublas_handle=fails),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    for own, products in ((True, "cuBLASLt"), (False, "CuPy")):
        monkeypatch.setattr(doctor.engines, "own_products", lambda library, own=own: own)
        assert doctor._cuda() == {
            "driver": "none",
            "runtime": "13.2",
            "nvrtc": "13.1",
            "cublas": {"error": "RuntimeError: no such library"},
            "products": products,
        }


def test_cupy_is_found_under_each_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "cupy-cuda12x":
            return "14.0"
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert doctor._version("cupy") == "14.0 (cupy-cuda12x)"
    assert doctor._version("torch") is None


def test_a_processor_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.Path, "exists", lambda self: False)
    monkeypatch.setattr(doctor.platform, "processor", lambda: "")
    assert doctor._cpu() == doctor.platform.machine()


def test_memory_that_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(memory_info=lambda: None)
    monkeypatch.setattr(doctor, "get_backend", lambda spec=None: silent)
    assert doctor._device("numpy")["memory"] is None
    assert "memory unknown" in face._device_text(doctor._device("numpy"))


def test_engines_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_ENGINE", "pointwise, im2col")
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    found = doctor.examine()["engines"]
    assert found["allowed"] == "pointwise, im2col"
    assert found["threads"] == 3
    assert ("cache" in found) == (found["compiled for NumPy"] == "yes")
    assert "threads: 3" in text(doctor.examine())


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.examine()["wrong"] == {}
    wrong = {
        "XPCONV_BACKEND": ("nmupy", "nmupy"),
        "XPCONV_CUDA_KERNELS": ("2", "must be 0 or 1, got '2'"),
        "XPCONV_ENGINE": ("im2row", "there is no engine 'im2row'"),
        "XPCONV_NUMBA": ("perhaps", "must be 0 or 1, got 'perhaps'"),
        "XPCONV_NUM_THREADS": ("none", "must be a positive number, got 'none'"),
        "XPCONV_WORKSPACE": ("much", "got 'much'"),
        "XPCONV_WORKSPCE": ("64MB", "is not known; known are XPCONV_BACKEND, "),
    }
    for name, (value, _) in wrong.items():
        monkeypatch.setenv(name, value)
    found = doctor.examine()["wrong"]
    assert list(found) == list(wrong)
    for name, (_, words) in wrong.items():
        assert words in found[name]
    assert "XPCONV_WORKSPCE: is not known" in text(doctor.examine())
