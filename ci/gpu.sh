#!/usr/bin/env bash
# Everything that needs a CUDA device, in one command; leaves one file in benchmarks/results/.
#
# Usage: ci/gpu.sh [pytest arguments]      BENCH=--quick ci/gpu.sh: fewer cases, fewer rounds
# A virtual environment is made for the run and thrown away. To use one that has xpconv's `test` extra
# and CuPy already (a machine without a network): PYTHON=python ci/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cuda=$("${PYTHON:-python3}" ci/gpu_report.py cuda)  # the driver's major version, or one line that says why not

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$work/venv"
    python=$work/venv/bin/python
    "$python" -m pip install --quiet ".[test,peers,cuda$([ "$cuda" -ge 13 ] && echo 13 || echo 12)]"
fi
"$python" -c "import cupy, xpconv, pytest" || {
    echo "ci/gpu.sh: $python lacks the above: pip install '.[test,cuda12]' or '.[test,cuda13]'" >&2
    exit 2
}

status=0
for tf32 in 0 1; do
    printf '\n=== tests, CUPY_TF32=%s\n' "$tf32"
    XPCONV_REQUIRE_BACKENDS=cupy CUPY_TF32=$tf32 \
        "$python" -m pytest --junitxml="$work/tests-tf32-$tf32.xml" "$@" || status=1
done
for name in layers training; do
    printf '\n=== benchmarks.%s\n' "$name"
    # shellcheck disable=SC2086
    "$python" -m "benchmarks.$name" --backend cupy ${BENCH:-} --markdown "$work/$name.md" \
        --json "$work/$name.json" --plot "$work/$name.png" > /dev/null || status=1
done

"$python" ci/gpu_report.py write "$work"
exit "$status"
