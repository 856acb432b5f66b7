#!/usr/bin/env bash
# Everything that needs a CUDA device, in one command; leaves one file in benchmarks/results/, written anew after
# every stage, so that a run that is cut short leaves what it has.
#
# Usage: ci/gpu.sh [pytest arguments]
#   BENCH=--quick ci/gpu.sh    fewer cases, fewer rounds; BENCH=none: no benchmarks
#   JOBS=4 ci/gpu.sh           so many test processes share the GPU (default: 8; 1 without pytest-xdist)
# A virtual environment is made for the run and thrown away. To use one that has xpconv's `test` and `peers`
# extras and CuPy already (a machine without a network): PYTHON=python ci/gpu.sh
# What such a machine lacks can come as wheels for its Python and platform, unpacked into a folder:
#   elsewhere:  pip download --only-binary=:all: --no-deps -d wheels array-api-compat array-api-extra array-api-strict \
#                   pytest pluggy iniconfig packaging hypothesis sortedcontainers attrs pytest-xdist execnet ml_dtypes
#               (and safetensors, scikit-learn, Pillow, rich, matplotlib with what they need, for the command's tests)
#   there:      for w in wheels/*.whl; do unzip -q "$w" -d site; done; PYTHONPATH=$PWD/site PYTHON=python3 ci/gpu.sh
# PyTorch is optional: the benchmarks compare with it where it sees the GPU. So is cuDNN (nvidia-cudnn-frontend 1.28,
# nvidia-cudnn-cu12 or -cu13, gigabytes); the result file says whether it was there.
set -euo pipefail
cd "$(dirname "$0")/.."

cuda=$("${PYTHON:-python3}" ci/gpu_report.py cuda)  # the driver's major version, or one line that says why not

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$work/venv"
    python=$work/venv/bin/python
    major=$([ "$cuda" -ge 13 ] && echo 13 || echo 12)
    "$python" -m pip install --quiet ".[test,peers,cuda$major,cudnn$major]" pytest-xdist
fi
"$python" -c "import cupy, xpconv, pytest, hypothesis" || {
    echo "ci/gpu.sh: $python lacks the above: pip install '.[test,cuda12]' or '.[test,cuda13]'" >&2
    exit 2
}
jobs=()
if "$python" -c "import xdist" 2> /dev/null; then jobs=(-n "${JOBS:-8}"); fi

status=0
stage() { # NAME COMMAND...: run it, note how it ended and how long it took, and bring the result file up to date
    local name=$1 began=$SECONDS code=0
    shift
    printf '\n=== %s\n' "$name"
    "$@" || { code=$?; status=1; }
    printf '%s\t%s\t%s\n' "$name" "$code" "$((SECONDS - began))" >> "$work/stages.tsv"
    "$python" ci/gpu_report.py write "$work"
}
tests() { # NAME TF32 CUDNN LIBRARIES [pytest arguments]: those libraries' tests, where a missing GPU is a failure
    XPCONV_REQUIRE_BACKENDS=cupy CUPY_TF32=$2 XPCONV_CUDNN=$3 XPCONV_ONLY_BACKENDS=$4 \
        "$python" -m pytest -q --junitxml="$work/tests-$1.xml" "${@:5}"
}
bench() { # NAME BENCHMARK [options]
    # shellcheck disable=SC2086
    "$python" -m "benchmarks.$2" --backend cupy --statistic median --rounds 5 --turn 0.02 "${@:3}" ${BENCH:-} \
        --markdown "$work/$1.md" --json "$work/$1.json" > /dev/null
}

# Without TF32 the tests of CuPy and those that ask for no library; with it CuPy's once more. The other libraries'
# tests need no GPU and are not repeated here. cuDNN, where it is, has stages of its own, in which it computes every
# convolution that it can.
stage "tests, TF32 off" tests fp32 0 0 cupy,none -m "not huge" "${jobs[@]}" "$@"
stage "tests, TF32 on" tests tf32 1 0 cupy -m "not huge" "${jobs[@]}" "$@"
if [ $# = 0 ]; then stage "tests, huge arrays" tests huge 0 0 cupy -m huge tests/ops; fi
if "$python" -c "import sys; from xpconv import engines; sys.exit(engines.cudnn_refusal())"; then
    cudnn=(-p tests.cudnn.everywhere -m "not huge" "${jobs[@]}")
    where=(tests/engines tests/ops/test_conv*.py tests/nn/test_conv.py tests/nn/test_layers.py tests/train tests/test_parity.py)
    stage "tests, cuDNN, TF32 off" tests cudnn-fp32 0 1 cupy "${cudnn[@]}" "${@:-${where[@]}}"
    stage "tests, cuDNN, TF32 on" tests cudnn-tf32 1 1 cupy "${cudnn[@]}" "${@:-${where[@]}}"
fi
if [ "${BENCH:-}" != none ]; then
    layers=(layers --cases table lenet --batches 16 64)
    networks=(training --cases large gpu --modes "training step" inference)
    for name in layers networks; do
        declare -n what=$name
        stage "$name, fp32" bench "$name-fp32" "${what[@]}"
        stage "$name, TF32" bench "$name-tf32" "${what[@]}" --tf32
        stage "$name, bf16" bench "$name-bf16" "${what[@]}" --dtype bfloat16
    done
fi
exit "$status"
