"""What ci/gpu.sh writes down, from files such as a run leaves; no GPU is needed to test that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci import gpu_report

JUNIT = """<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1">
<testcase classname="tests.ops" name="good"/>
<testcase classname="tests.ops" name="wrong"><failure/></testcase>
<testcase classname="tests.ops" name="broken"><error/></testcase>
<testcase classname="tests.ops" name="away"><skipped message="Skipped: no Numba"/></testcase>
<testcase classname="tests.ops" name="fine"/>
</testsuite></testsuites>"""


def test_the_report_counts_the_tests_and_names_the_failures(tmp_path: Path) -> None:
    for name in ("fp32", "tf32"):
        (tmp_path / f"tests-{name}.xml").write_text(JUNIT)
    stages = "tests\t1\t40\nlayers\t0\t9\nhuge\tstopped after its budget\t45\n"
    (tmp_path / "stages.tsv").write_text(stages)
    (tmp_path / "doctor.txt").write_text("all is well\n")
    (tmp_path / "layers-fp32.md").write_text("# Layers\n\n## Forward\n\n| case |\n")
    text = gpu_report.report(tmp_path, [("GPU 0", "a card")])
    assert "| GPU 0 | a card |" in text
    assert "| fp32 | 2 | 1 | 1 | 1 |" in text
    assert "| tf32 | 2 | 1 | 1 | 1 |" in text
    assert "- tf32: `tests.ops::broken` failed" in text
    assert "- fp32: 1 skipped: no Numba" in text
    assert "| tests | exit status 1 | 40 |\n| layers | ok | 9 |" in text
    assert "| huge | stopped after its budget | 45 |" in text
    assert "```\nall is well\n```" in text
    # One level down: the file has a title of its own.
    assert "## layers-fp32: Layers\n\n### Forward" in text
    assert "## networks-bf16: No result" in text  # a benchmark that died is not left out in silence


def test_the_cpu_is_compared_where_both_were_timed(tmp_path: Path) -> None:
    def rows(**seconds: float) -> str:
        return json.dumps(
            {
                "rows": [
                    {
                        "case": {"name": name, "mode": "training step"},
                        "times": {"xpconv": {"turns": [{"median": time}], "scale": 1}},
                    }
                    for name, time in seconds.items()
                ]
            }
        )

    assert gpu_report.against_the_cpu(tmp_path) == []
    (tmp_path / "cpu.json").write_text(rows(resnet=2.5))
    (tmp_path / "networks-bf16.json").write_text(rows(lenet=0.001, resnet=0.02))
    title, table = gpu_report.against_the_cpu(tmp_path)
    assert title == "## Against two cores"
    assert table.splitlines()[2:] == ["| resnet, training step | bf16 | 2500.0 | 20.00 | 125 |"]


def test_one_file_is_written_named_after_the_card_and_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_report, "gpu_facts", lambda: [("GPU 0", "NVIDIA Any 1, 8 GiB")])
    monkeypatch.setattr(gpu_report, "RESULTS", tmp_path / "results")
    (tmp_path / "stages.tsv").write_text("tests\t0\t40\n")
    path = gpu_report.write(tmp_path)
    (tmp_path / "stages.tsv").write_text("tests\t0\t40\nlayers\t0\t9\n")
    assert gpu_report.write(tmp_path) == path  # the same run, a stage further
    assert list(path.parent.iterdir()) == [path]
    assert path.name.startswith("gpu-nvidia-any-1-2")
    text = path.read_text()
    assert "| date | 2" in text
    assert "numpy" in text


def test_a_machine_without_a_device_is_told_so_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_device() -> int:
        raise OSError("no NVIDIA driver is installed")

    monkeypatch.setattr(gpu_report, "cuda_version", no_device)
    assert gpu_report.main(["cuda"]) == 2
    assert capsys.readouterr().err == (
        "ci/gpu.sh needs a CUDA device: no NVIDIA driver is installed\n"
    )
