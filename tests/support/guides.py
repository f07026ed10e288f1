"""The programs in the guide, which the tests run and type-check."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.program import ROOT

GUIDE = ROOT / "docs/guide"
#: A block of Python code whose first line is a name in a comment, or an import.
_PROGRAM = re.compile(
    r"^```python\n(?:# (\w+)(?:\.py)?\n|(?=from |import ))(.*?)^```$", re.DOTALL | re.MULTILINE
)


def pages() -> list[Path]:
    """Return the pages of the guide."""
    return sorted(GUIDE.glob("*.md"))


def programs(page: Path) -> dict[str, str]:
    """Return the programs of a page by name. Programs without a name are numbered; fragments are ignored."""
    found = {}
    for number, (name, code) in enumerate(_PROGRAM.findall(page.read_text(encoding="utf-8"))):
        found[name or f"program_{number}"] = code
    return found
