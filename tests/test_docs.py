"""Every example in the README and in the documentation runs and shows what the page says.

A page is one session: its ``python`` blocks are executed, its ``pycon`` blocks compared with their
output. Blocks of any other kind (``python no-run`` included) are left alone.
"""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

from ci import operations_page

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if re.search(r"^```(python|pycon)$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
BLOCK = re.compile(r"^```(?P<kind>python|pycon)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # examples may write files
    session: dict[str, Any] = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        # without a GPU, the same script on the CPU: that is what the pages promise
        code = block["code"].replace('"cupy"', '"numpy"')
        if block["kind"] == "python":
            exec(compile("\n" * line + code, str(page), "exec"), session)
        else:
            check(code, session, page, line)


def check(code: str, session: dict[str, Any], page: Path, line: int) -> None:
    test = doctest.DocTestParser().get_doctest(code, session, page.name, str(page), line)
    test.globs = session  # one page, one session
    report: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
    if report:
        pytest.fail("\n".join(report), pytrace=False)


def test_the_page_of_operations_is_what_the_code_says() -> None:
    written = operations_page.PAGE.read_text(encoding="utf-8")
    assert written == operations_page.page(), "run: python -m ci.operations_page"
