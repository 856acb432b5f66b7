"""The words of cuBLASLt's interface, against NVIDIA's own headers and its own library.

Neither is needed: `pip install nvidia-cublas nvidia-cuda-runtime nvidia-cuda-crt` brings both,
half a gigabyte, without a driver or a GPU.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
from collections.abc import Iterator
from ctypes import byref, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import pytest

from tests.cuda import host
from tests.cuda.conftest import need
from xpconv.engines._cuda import _blas_library as words, _blas_plan
from xpconv.engines._cuda._blas_matrix import Matrix

PREFIXES = {
    words.DataType: "CUDA_",
    words.Compute: "CUBLAS_COMPUTE_",
    words.Description: "CUBLASLT_MATMUL_DESC_",
    words.Layout: "CUBLASLT_MATRIX_LAYOUT_",
    words.Preference: "CUBLASLT_MATMUL_PREF_",
    words.Epilogue: "CUBLASLT_EPILOGUE_",
    words.Reduction: "CUBLASLT_REDUCTION_SCHEME_",
    words.Status: "CUBLAS_STATUS_",
}


def names() -> Iterator[tuple[str, int]]:
    """NVIDIA's name of every value, and the value that we use."""
    for kind, prefix in PREFIXES.items():
        for member in kind:
            yield prefix + member.name.removeprefix("C_"), int(member)


def installed(pattern: str) -> list[Path]:
    """Files of NVIDIA's wheels, and of a toolkit that CUDA_PATH names."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    folders += [Path(os.environ[name]) for name in ("CUDA_PATH",) if name in os.environ]
    return sorted({path for folder in folders for path in folder.glob(f"**/{pattern}")})


def test_values_and_sizes_are_those_of_the_headers(tmp_path: Path) -> None:
    headers = installed("cublasLt.h")
    if not headers or not installed("library_types.h"):
        pytest.skip("NVIDIA's headers are not installed (pip install nvidia-cublas): not compared")
    need(host.COMPILER, "g++ is not installed: NVIDIA's headers are not read")
    expected, result = dict(names()), words.Heuristic
    sizes = {
        "cublasLtMatmulAlgo_t": ctypes.sizeof(words.Algorithm),
        "cublasLtMatmulHeuristicResult_t": ctypes.sizeof(result),
        "offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize)": result.workspaceSize.offset,
        "offsetof(cublasLtMatmulHeuristicResult_t, state)": result.state.offset,
    }
    lines = [f'std::printf("{name} %d\\n", (int){name});' for name in expected]
    for what in sizes:
        size = what if what.startswith("offsetof") else f"sizeof({what})"
        lines.append(f'std::printf("{what.replace(" ", "")} %d\\n", (int){size});')
    # A function that differs in its arguments or its result is refused by the compiler.
    arguments = {
        ctypes.c_void_p: "void*",
        c_int: "int",
        ctypes.c_uint64: "uint64_t",
        ctypes.c_int64: "int64_t",
        c_size_t: "size_t",
    }
    for name, given in words.PROTOTYPES.items():
        sizes_of = ", ".join(f"sizeof({arguments.get(kind, 'void*')})" for kind in given)
        lines.append(f"check(&{name}, {{{sizes_of}}});")
    text = (
        "#include <cstddef>\n#include <cstdio>\n#include <cstdlib>\n#include <vector>\n"
        '#include "cublasLt.h"\n'
        "template <class... A> void check(cublasStatus_t (*)(A...), std::vector<size_t> sizes) {\n"
        "  if (sizes != std::vector<size_t>{sizeof(A)...}) std::exit(1);\n}\n"
        "int main() {\n" + "\n".join(lines) + "\n}\n"
    )
    (tmp_path / "words.cpp").write_text(text)
    for header in headers:
        folders = {header.parent, *(path.parent for path in installed("library_types.h"))}
        includes = [f"-I{header.parent}", *(f"-I{folder}" for folder in sorted(folders))]
        # `check` names the functions' types alone: without optimisation they would have to exist.
        command = [str(host.COMPILER), "-O2", "-w", *includes, tmp_path / "words.cpp"]
        subprocess.run([*command, "-o", tmp_path / "words"], check=True)
        output = subprocess.run([tmp_path / "words"], check=True, capture_output=True, text=True)
        found = dict(line.rsplit(" ", 1) for line in output.stdout.splitlines())
        assert {name: int(found[name]) for name in expected} == expected
        for what, size in sizes.items():
            assert int(found[what.replace(" ", "")]) == size, what


class _NoDevice:
    """NVIDIA's library without a GPU: it makes descriptions, and is not asked for algorithms."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def cublasLtMatmulAlgoGetHeuristic(self, *arguments: Any) -> int:
        for argument, kind in zip(arguments, words.PROTOTYPES["cublasLtMatmulAlgoGetHeuristic"]):
            kind.from_param(argument)
        arguments[-1]._obj.value = 1
        return 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_library_takes_our_descriptions(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    libraries = installed("libcublasLt.so.*")
    if not libraries:
        pytest.skip("cuBLASLt is not installed (pip install nvidia-cublas): its calls are not made")
    for path in libraries:
        real = words.bind(ctypes.CDLL(str(path)))
        monkeypatch.setattr(words, "_find", lambda real=real: _NoDevice(real))
        left = Matrix(256, dtype, 3, 5, 7, 9, False, 45)
        right = Matrix(16, dtype, 3, 4, 7, 8, True, 0)
        out = Matrix(256, dtype, 3, 5, 4, 12, False, 4)
        plan = _blas_plan.Plan(c_void_p(1), left, right, out, dtype == "float32", (16, 4))
        assert_attribute(real, plan, words.Description.BIAS_BATCH_STRIDE, ctypes.c_int64, 4)
        assert_attribute(real, plan, words.Description.TRANSA, ctypes.c_int32, 1)
        assert_attribute(real, plan, words.Description.TRANSB, ctypes.c_int32, 0)
        assert_attribute(real, plan, words.Description.EPILOGUE, ctypes.c_uint32, 4)
        for layout, m in zip(plan._layouts, (right, left, out)):
            for attribute, kind, value in (
                (2, ctypes.c_uint64, m.length),
                (3, ctypes.c_uint64, m.lines),
                (4, ctypes.c_int64, m.leading),
                (5, ctypes.c_int32, m.batch),
                (6, ctypes.c_int64, m.step),
            ):
                got, written = kind(), c_size_t()
                get = real.cublasLtMatrixLayoutGetAttribute
                get.argtypes = (c_void_p, c_int, c_void_p, c_size_t, c_void_p)
                assert get(layout, attribute, byref(got), ctypes.sizeof(got), byref(written)) == 0
                assert got.value == value


def assert_attribute(real: Any, plan: Any, attribute: int, kind: Any, value: int) -> None:
    got, written = kind(), c_size_t()
    get = real.cublasLtMatmulDescGetAttribute
    get.argtypes = (c_void_p, c_int, c_void_p, c_size_t, c_void_p)
    assert get(plan._description, attribute, byref(got), ctypes.sizeof(got), byref(written)) == 0
    assert got.value == value
