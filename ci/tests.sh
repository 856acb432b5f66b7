#!/usr/bin/env bash
# The whole suite on every backend found, with branch coverage, and by name what the figure leaves out.
# Usage: ci/tests.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

pytest --cov --cov-report=term "$@"

echo
echo "Not in the coverage figure, because only a machine with an NVIDIA GPU can run it (ci/gpu.sh does):"
grep -rn --include='*.py' 'pragma: needs cuda' xpconv || echo "  nothing"
