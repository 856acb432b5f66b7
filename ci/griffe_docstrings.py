"""Docstrings follow numpydoc, the site reads Markdown: equations have to be rewritten.

An indented ``.. math::`` block becomes ``$$``, and ``:math:`...` `` becomes ``$``, so that the
reference draws them like every other page.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

BLOCK = re.compile(r"^(?P<indent> *)\.\. math::\n(?P<body>(?:(?P=indent) +\S.*\n?|\s*\n)+)", re.M)
INLINE = re.compile(r":math:`([^`]+)`")


class DocstringMath(griffe.Extension):
    """Turn numpydoc's equations into those of the site."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = INLINE.sub(r"$\1$", BLOCK.sub(_block, obj.docstring.value))


def _block(match: re.Match[str]) -> str:
    body = textwrap.dedent(match["body"]).strip()
    lines = ["", "$$", *body.split("\n"), "$$", "", ""]
    return "\n".join(match["indent"] + line if line else line for line in lines)
