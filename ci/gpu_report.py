"""The Python part of ci/gpu.sh: is there a CUDA device, and what did the run show?

``gpu_report.py cuda`` prints the driver's major CUDA version, or one line on why there is none.
``gpu_report.py write DIR`` gathers what a run left in DIR into one file in benchmarks/results.
"""

from __future__ import annotations

import ctypes
import json
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    "xpconv",
    "nvidia-cudnn-frontend",
    "numpy",
    "array-api-compat",
    "array-api-extra",
    "cupy",
    "torch",
    "ml_dtypes",
)
OUTCOMES = ("passed", "failed", "errors", "skipped")
OPTIONAL = (  # where the library is there
    "layers-cudnn",
    "layers-cudnn-tf32",
    "layers-cudnn-bf16",
    "networks-cudnn",
    "networks-cudnn-bf16",
)
BENCHMARKS = [
    *(f"{what}-{how}" for how in ("fp32", "tf32", "bf16") for what in ("networks", "layers")),
    "layers-winograd",
    *OPTIONAL,
    "cpu",
]


def cuda_version() -> int:
    """The driver's CUDA version, as 12080 for 12.8; raises OSError when no device can be used."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise OSError("no NVIDIA driver is installed (libcuda.so.1 is not found)") from None
    if status := driver.cuInit(0):
        raise OSError(f"the NVIDIA driver sees no usable device (cuInit returned {status})")
    count, version = ctypes.c_int(), ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)) or count.value == 0:
        raise OSError("the NVIDIA driver sees no device")
    driver.cuDriverGetVersion(ctypes.byref(version))
    return version.value


def gpu_facts() -> list[tuple[str, str]]:
    """Names, memory and driver of the devices, and the CUDA versions that CuPy uses."""
    import cupy

    from xpconv import engines

    runtime = cupy.cuda.runtime
    facts = []
    for index in range(runtime.getDeviceCount()):
        device = runtime.getDeviceProperties(index)
        memory = device["totalGlobalMem"] / 2**30
        facts.append((f"GPU {index}", f"{device['name'].decode()}, {memory:.0f} GiB"))
    facts.append(("driver", _smi("driver_version")))
    facts.append(("cuDNN", engines.cudnn_refusal() or engines.cudnn_versions()))
    facts.append(("CUDA", f"driver {_version(cuda_version())}, runtime {_runtime(cupy)}"))
    return facts


def _runtime(cupy: object) -> str:
    return _version(cupy.cuda.runtime.runtimeGetVersion())  # type: ignore[attr-defined]


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _smi(field: str) -> str:
    query = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return ", ".join(dict.fromkeys(answer.split("\n"))).strip(", ")


def versions() -> str:
    """Every library that the figures depend on; CuPy's wheels carry CUDA in their name."""
    found = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"]}
    names = [n for n in sorted(found) if n in PACKAGES or n.startswith("cupy-")]
    return ", ".join([f"Python {platform.python_version()}", *(f"{n} {found[n]}" for n in names)])


def commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return answer.stdout.strip() or "unknown"


def count_tests(junit: Path) -> dict[str, int]:
    """Passed, failed, errors and skipped of a JUnit file."""
    totals = dict.fromkeys(OUTCOMES, 0)
    for suite in ET.parse(junit).getroot().iter("testsuite"):
        tests, failed, errors, skipped = (
            int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
        )
        numbers = (tests - failed - errors - skipped, failed, errors, skipped)
        for outcome, number in zip(OUTCOMES, numbers, strict=True):
            totals[outcome] += number
    return totals


def failures(junit: Path) -> list[str]:
    """Names of the tests of a JUnit file that failed."""
    cases = ET.parse(junit).getroot().iter("testcase")
    bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    return [f"{case.get('classname')}::{case.get('name')}" for case in bad]


def skipped(junit: Path) -> Counter[str]:
    """Why tests of a JUnit file were skipped, and how many."""
    reasons = (case.find("skipped") for case in ET.parse(junit).getroot().iter("testcase"))
    return Counter(
        reason.get("message", "?").removeprefix("Skipped: ")
        for reason in reasons
        if reason is not None
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def stages(work: Path) -> list[list[str]]:
    """Each stage so far, how it ended and how many seconds it took."""
    lines = (work / "stages.tsv").read_text(encoding="utf-8").splitlines()
    return [
        [name, _ended(code), seconds]
        for name, code, seconds in (line.split("\t") for line in lines)
    ]


def medians(benchmark: Path) -> dict[str, float]:
    """Seconds of our column for each case of a benchmark's JSON, by its name and mode."""
    if not benchmark.exists():
        return {}
    found = {}
    for row in json.loads(benchmark.read_text(encoding="utf-8"))["rows"]:
        ours = row["times"].get("xpconv")
        if ours:
            turns = sorted(turn["median"] * ours.get("scale", 1) for turn in ours["turns"])
            found[f"{row['case']['name']}, {row['case']['mode']}"] = turns[len(turns) // 2]
    return found


def against_the_cpu(work: Path) -> list[str]:
    """How many times faster the device takes the steps that two cores were timed with, too."""
    slow, rows = medians(work / "cpu.json"), []
    for how in ("fp32", "tf32", "bf16"):
        fast = medians(work / f"networks-{how}.json")
        rows += [
            [
                case,
                how,
                f"{1e3 * slow[case]:.1f}",
                f"{1e3 * fast[case]:.2f}",
                f"{slow[case] / fast[case]:.0f}",
            ]
            for case in slow.keys() & fast.keys()
        ]
    header = ["", "on the GPU", "2 cores, ms", "GPU, ms", "times faster"]
    return ["## Against two cores", table(header, rows)] if rows else []


def _ended(code: str) -> str:
    if code == "0":
        return "ok"
    return f"exit status {code}" if code.isdecimal() else code


def report(work: Path, facts: list[tuple[str, str]]) -> str:
    """The result file's text: the machine, the tests, then each benchmark's own report."""
    parts = ["# GPU run", table(["", ""], [list(fact) for fact in facts])]
    doctor = work / "doctor.txt"
    if doctor.exists():
        parts += ["## Doctor", f"```\n{doctor.read_text(encoding='utf-8').strip()}\n```"]
    parts += ["## Stages", table(["stage", "", "seconds"], stages(work)), "## Tests"]
    rows, notes = [], []
    for junit in sorted(work.glob("tests-*.xml")):
        name, totals = junit.stem.removeprefix("tests-"), count_tests(junit)
        rows.append([name, *(str(totals[outcome]) for outcome in OUTCOMES)])
        notes += [f"- {name}: `{test}` failed" for test in failures(junit)]
        notes += [f"- {name}: {n} skipped: {why}" for why, n in skipped(junit).most_common()]
    parts.append(table(["", *OUTCOMES], rows))
    if notes:
        parts.append("\n".join(notes))
    parts += against_the_cpu(work)
    for name in BENCHMARKS:
        page = work / f"{name}.md"
        if name in OPTIONAL and not page.exists():
            continue
        text = page.read_text(encoding="utf-8") if page.exists() else "# No result\n"
        text = re.sub(r"\A# (.*)", rf"# {name}: \1", text)
        parts.append(re.sub(r"^#", "##", text, flags=re.MULTILINE).strip())
    return "\n\n".join(parts) + "\n"


def write(work: Path) -> Path:
    began = work / "began"  # the same file at every stage
    if not began.exists():
        began.write_text(datetime.now(UTC).isoformat(), encoding="utf-8")
    now = datetime.fromisoformat(began.read_text(encoding="utf-8"))
    facts = [
        ("date", now.strftime("%Y-%m-%d %H:%M UTC")),
        *gpu_facts(),
        ("versions", versions()),
        ("commit", commit()),
    ]
    model = next(value for key, value in facts if key == "GPU 0").split(",")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"gpu-{slug}-{now:%Y%m%d-%H%M}.md"
    path.write_text(report(work, facts), encoding="utf-8")
    return path


def main(arguments: list[str]) -> int:
    match arguments:
        case ["cuda"]:
            try:
                print(cuda_version() // 1000)
            except OSError as error:
                print(f"ci/gpu.sh needs a CUDA device: {error}", file=sys.stderr)
                return 2
        case ["write", work]:
            print(f"wrote {write(Path(work)).relative_to(ROOT)}")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
