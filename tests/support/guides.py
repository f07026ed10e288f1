"""The programs in the guide: what the documentation shows is run by tests and checked for types."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.program import ROOT

GUIDE = ROOT / "docs/guide"
#: A block of Python whose first line is its name, or an import.
_PROGRAM = re.compile(
    r"^```python\n(?:# (\w+)(?:\.py)?\n|(?=from |import ))(.*?)^```$", re.DOTALL | re.MULTILINE
)


def pages() -> list[Path]:
    """The pages of the guide."""
    return sorted(GUIDE.glob("*.md"))


def programs(page: Path) -> dict[str, str]:
    """The programs of a page by name; those without a name are numbered. Fragments are not programs."""
    found = {}
    for number, (name, code) in enumerate(_PROGRAM.findall(page.read_text(encoding="utf-8"))):
        found[name or f"program_{number}"] = code
    return found
