"""What pytest must not import: compiled bodies, where the package that compiles them is absent."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("numba") else ["xpconv/engines/_numba/_*.py"]
