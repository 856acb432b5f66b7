"""Docstrings follow numpydoc, the site reads Markdown: a few marks have to be rewritten.

A ``.. math::`` block becomes ``$$`` and ``:math:`...` `` becomes ``$``, so that the reference draws
equations like every other page. ``array, shape (N, C)`` becomes ``array of shape (N, C)``, which
nobody takes for a Python tuple.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

BLOCK = re.compile(
    r"^(?P<indent> *)\.\. math::(?P<first>.*)\n(?P<body>(?:(?P=indent) +\S.*\n?|[ ]*\n)*)", re.M
)
INLINE = re.compile(r":math:`([^`]+)`")
SHAPE = re.compile(r"^(?P<lead>\S.*), shape (?=\()", re.M)


class NumpydocAsMarkdown(griffe.Extension):
    """Rewrite every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    docstring = SHAPE.sub(r"\g<lead> of shape ", docstring)
    return INLINE.sub(r"$\1$", BLOCK.sub(_block, docstring))


def _block(match: re.Match[str]) -> str:
    equation = [match["first"].strip(), *textwrap.dedent(match["body"]).strip().split("\n")]
    lines = ["", "$$", *filter(None, equation), "$$", "", ""]
    return "\n".join(match["indent"] + line if line else line for line in lines)
