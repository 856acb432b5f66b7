#!/usr/bin/env bash
# Format, lint, types, and the walls between the floors of the house.
set -euo pipefail
cd "$(dirname "$0")/.."

ruff format --check .
ruff check .
mypy
lint-imports
