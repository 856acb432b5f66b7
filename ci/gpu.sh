#!/usr/bin/env bash
# Everything that needs a CUDA device, in one command; leaves one file in benchmarks/results/, written anew after
# every stage, so that a run that is cut short leaves what it has.
#
# Usage: ci/gpu.sh [pytest arguments]
#   LIMIT=590 ci/gpu.sh            seconds for everything; each stage has its own budget of them besides, and one that
#                                  fails, or is stopped, costs the others nothing
#   STAGES='^networks' ci/gpu.sh   only stages whose name matches
#   BENCH=--quick ci/gpu.sh        fewer cases, fewer rounds; BENCH=none: no benchmarks
#   JOBS=4 ci/gpu.sh               so many test processes share the GPU (default: 8; 1 without pytest-xdist)
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

cuda=$("${PYTHON:-python3}" -m ci.gpu_report cuda)  # the driver's major version, or one line that says why not

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

limit=${LIMIT:-590} status=0
note() { # NAME CODE SECONDS: one line for the report, and the result file as it is by now
    printf '%s\t%s\t%s\n' "$@" >> "$work/stages.tsv"
    [ "$2" = 0 ] || status=1
    "$python" -m ci.gpu_report write "$work" || status=1
}
stage() { # NAME SECONDS COMMAND...: run it within its budget and what is left of the whole
    local name=$1 budget=$2 began=$SECONDS code=0
    shift 2
    [[ $name =~ ${STAGES:-.} ]] || return 0
    local left=$((limit - SECONDS - 5))
    [ "$left" -ge "$budget" ] || budget=$left
    printf '\n=== %s (%s s)\n' "$name" "$budget"
    if [ "$budget" -lt 5 ]; then
        note "$name" "no time left" 0
        return 0
    fi
    # An interrupt first: pytest and the benchmarks write down what they have.
    within=(timeout --signal=INT --kill-after=10 "$budget" "$python")
    "$@" || code=$?
    [ "$code" != 124 ] && [ "$code" != 137 ] || code="stopped after its budget"
    note "$name" "$code" "$((SECONDS - began))"
}
tests() { # NAME TF32 CUDNN LIBRARIES [pytest arguments]: those libraries' tests, where a missing GPU is a failure
    XPCONV_REQUIRE_BACKENDS=cupy CUPY_TF32=$2 XPCONV_CUDNN=$3 XPCONV_ONLY_BACKENDS=$4 \
        "${within[@]}" -m pytest -q -p no:cacheprovider --junitxml="$work/tests-$1.xml" "${@:5}"
}
bench() { # NAME BENCHMARK [options]
    # shellcheck disable=SC2086
    "${within[@]}" -m "benchmarks.$2" --statistic median --rounds 5 --turn 0.02 "${@:3}" ${BENCH:-} \
        --markdown "$work/$1.md" --json "$work/$1.json" > /dev/null
}
own() { # the same, but by xpconv's engines alone, whether cuDNN is there or not
    XPCONV_CUDNN=0 bench "$@"
}
engine() { # NAMES NAME BENCHMARK [options]: our columns alone, by some engines
    XPCONV_ENGINE=$1 bench "${@:2}" --peers xpconv xpconv-graphs
}
doctor() { "${within[@]}" -m xpconv doctor | tee "$work/doctor.txt"; }

small=(-m "not huge" "${jobs[@]}")
where=(tests/engines tests/ops/test_conv*.py tests/nn/test_conv.py tests/nn/test_layers.py tests/train tests/test_parity.py)
products=("${where[@]}" tests/ops/test_linear.py tests/nn/test_pytorch.py tests/models/test_models.py)
bodies=(tests/ops/test_registry.py tests/ops/test_conv.py tests/ops/test_pool.py tests/ops/test_norm.py
    tests/ops/test_dropout.py tests/engines tests/test_optim.py)
layers=(layers --backend cupy --cases table lenet --batches 16 64)
networks=(training --backend cupy --cases large gpu --modes "training step" inference
    --peers xpconv xpconv-graphs torch torch-channels-last)
wanted() { [ "${BENCH:-}" != none ]; } # whether there are benchmarks

# What matters most comes first. Other libraries' tests need no GPU and are not repeated here. cuDNN, where it is, has
# stages of its own, in which it computes every convolution that it can.
stage "what is there" 30 doctor
stage "tests, TF32 off" 170 tests fp32 0 0 cupy "${small[@]}" "$@"
if wanted; then
    stage "networks, fp32" 60 own networks-fp32 "${networks[@]}"
    stage "layers, fp32" 60 own layers-fp32 "${layers[@]}"
    stage "networks, bf16" 40 own networks-bf16 "${networks[@]}" --dtype bfloat16
    stage "layers, bf16" 35 own layers-bf16 "${layers[@]}" --dtype bfloat16
fi
stage "tests, TF32 on" 60 tests tf32 1 0 cupy "${small[@]}" "${@:-${products[@]}}"
if "$python" -c "import sys; from xpconv import engines; sys.exit(engines.cudnn_refusal())"; then
    cudnn=(-p tests.cudnn.everywhere "${small[@]}")
    stage "tests, cuDNN, TF32 off" 45 tests cudnn-fp32 0 1 cupy "${cudnn[@]}" "${@:-${where[@]}}"
    stage "tests, cuDNN, TF32 on" 30 tests cudnn-tf32 1 1 cupy "${cudnn[@]}" "${@:-${where[@]}}"
    if wanted; then
        stage "layers, cuDNN" 25 engine cudnn,auto layers-cudnn "${layers[@]}"
        stage "layers, cuDNN, TF32" 20 engine cudnn,auto layers-cudnn-tf32 "${layers[@]}" --tf32
        stage "layers, cuDNN, bf16" 20 engine cudnn,auto layers-cudnn-bf16 "${layers[@]}" --dtype bfloat16
        stage "networks, cuDNN" 25 engine cudnn,auto networks-cudnn "${networks[@]}"
        stage "networks, cuDNN, bf16" 25 engine cudnn,auto networks-cudnn-bf16 "${networks[@]}" --dtype bfloat16
    fi
fi
if [ $# = 0 ]; then
    stage "tests, huge arrays" 45 tests huge 0 0 cupy -m huge tests/ops
    XPCONV_CUDA_KERNELS=0 stage "tests, portable code" 45 tests portable 0 0 cupy "${small[@]}" "${bodies[@]}"
fi
if wanted; then
    stage "networks, TF32" 40 own networks-tf32 "${networks[@]}" --tf32
    stage "layers, TF32" 35 own layers-tf32 "${layers[@]}" --tf32
    stage "layers, Winograd" 20 engine winograd,auto layers-winograd "${layers[@]}"
    stage "a CPU of 2 cores" 60 \
        bench cpu training --cases "ResNet-18 CIFAR 32², batch 256" --threads 2 --peers xpconv --rounds 1
fi
if [ $# = 0 ]; then stage "tests without a library" 60 tests none 0 0 none "${jobs[@]}"; fi
exit "$status"
