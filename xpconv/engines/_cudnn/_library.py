"""cuDNN and its front end: whether they are here, and what a process has decided for both."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from ..._environment import switch
from ..._tf32 import tf32_allowed

VARIABLE = "XPCONV_CUDNN"
DETERMINISTIC = "XPCONV_CUDNN_DETERMINISTIC"

_OLDEST = 90000  # the graph interface of cuDNN 8 knows fewer notes
_NEEDED = (
    "pygraph",
    "create_handle",
    "set_stream",
    "numerical_note",
    "cudnnGraphNotSupportedError",
)
_MEND = "pip install 'xpconv[cudnn13]' (or 'xpconv[cudnn12]' for CUDA 12)"


@cache
def front_end() -> Any:
    """Return NVIDIA's package ``cudnn``."""
    return importlib.import_module("cudnn")


@cache
def refusal() -> str | None:
    """Say why cuDNN cannot be used; None where it can. Whether there is a device is not asked."""
    if not switch(VARIABLE):
        return f"{VARIABLE}=0 turns cuDNN off"
    try:
        cudnn = front_end()
    except Exception as error:  # a broken installation fails in many ways
        return f"cuDNN's front end cannot be imported ({error}): {_MEND}"
    missing = [name for name in _NEEDED if not hasattr(cudnn, name)]
    if missing:
        return f"the package cudnn has no {', '.join(missing)}, it is not the one needed: {_MEND}"
    try:
        version = int(cudnn.backend_version())
    except RuntimeError as error:
        return f"cuDNN's front end does not find the library itself ({error}): {_MEND}"
    if version < _OLDEST:
        return f"cuDNN 9 is needed, and {_dotted(version)} was found: {_MEND}"
    return None


def versions() -> str:
    """Say which front end and which cuDNN are used."""
    cudnn = front_end()
    version = _dotted(int(cudnn.backend_version()))
    return f"{version}, by version {cudnn.__version__} of its front end"


def _dotted(version: int) -> str:
    """Write cuDNN's number as people do: 92801 as 9.28.1, and 8907 as 8.9.7."""
    major = version // 10000 if version >= _OLDEST else version // 1000
    rest = version - major * (10000 if version >= _OLDEST else 1000)
    return f"{major}.{rest // 100}.{rest % 100}"


def tf32() -> bool:
    """Whether float32 products may be in TF32."""
    return tf32_allowed()


def deterministic() -> bool:
    """Whether only plans are chosen that give the same bits in every run."""
    return switch(DETERMINISTIC)
