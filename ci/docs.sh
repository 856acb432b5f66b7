#!/usr/bin/env bash
# Build the documentation site; a broken link or an unknown name is an error.
# Usage: ci/docs.sh [DIRECTORY]      default: site
set -euo pipefail
cd "$(dirname "$0")/.."

mkdocs build --strict --clean --site-dir "${1:-site}"
