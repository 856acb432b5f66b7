#!/usr/bin/env bash
# Build the documentation site; a broken link or an unknown name is an error.
# Usage: ci/docs.sh [DIRECTORY]      default: site
set -euo pipefail
cd "$(dirname "$0")/.."

export NO_MKDOCS_2_WARNING=1  # a notice about later versions, which the `docs` extra excludes
mkdocs build --strict --clean --site-dir "${1:-site}"
