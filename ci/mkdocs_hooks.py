"""Two things the site needs at build time: equations as MathML, and source code quoted by name.

Browsers draw MathML themselves, so the built pages load no script for it and read the same offline.
A line of the form `source: path/to/file.py :: name` becomes that function's present text; the build
fails when the name is gone.
"""

from __future__ import annotations

import ast
import html
import logging
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

LOG = logging.getLogger("mkdocs.hooks.source")  # in strict mode a warning here fails the build
ROOT = Path(__file__).resolve().parent.parent
SOURCE = re.compile(r"^source: (?P<file>\S+\.py) :: (?P<name>[\w.]+)$", re.MULTILINE)
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:
    return SOURCE.sub(lambda match: quote(match["file"], match["name"]), markdown)


def on_page_content(content: str, **_: Any) -> str:
    content = BLOCK.sub(lambda match: mathml(match[1], "block"), content)
    return INLINE.sub(lambda match: mathml(match[1], "inline"), content)


def mathml(escaped: str, display: str) -> str:
    return convert(html.unescape(escaped).strip(), display=display)


def quote(file: str, name: str) -> str:
    """A fenced block with the definition of ``name``, docstring left out, and its line numbers."""
    path = ROOT / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = text.splitlines()
    node: Any = ast.parse(text)
    for part in name.split("."):
        node = next((n for n in node.body if getattr(n, "name", None) == part), None)
        if node is None:
            LOG.warning("%s has no definition named %s", file, name)
            return f"`{name}`"
    drop: range = range(0)
    if ast.get_docstring(node) is not None:
        drop = range(node.body[0].lineno, node.body[0].end_lineno + 1)
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    body = [lines[i - 1] for i in range(first, node.end_lineno + 1) if i not in drop]
    title = f"{file}, lines {first} to {node.end_lineno}"
    return "\n".join([f'```python title="{title}"', *body, "```"])
