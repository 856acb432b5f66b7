#!/usr/bin/env bash
# The README's two commands, word for word, each in a virtual environment of its own.
# Usage: ci/readme.sh [train] [test]      default: both
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command_of() {  # the README's line that ends with the given words
    grep -m1 -E "^pip install .* && $1\$" README.md
}

run() {
    local line
    line=$(command_of "$2")
    printf '+ %s\n' "$line"
    "${PYTHON:-python3}" -m venv "$work/$1"
    (
        # shellcheck source=/dev/null
        . "$work/$1/bin/activate"
        eval "$line"
    )
}

[ $# -gt 0 ] || set -- train test
for name in "$@"; do
    case $name in
        train) run train "xpconv train digits" ;;
        test) run test "pytest" ;;
        *) echo "ci/readme.sh: unknown leg '$name' (train, test)" >&2; exit 2 ;;
    esac
done
