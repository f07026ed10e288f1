"""Links between the documents lead to files and headings that exist."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.program import ROOT

_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def documents() -> list[Path]:
    """Return the Markdown files of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / each for each in listed.stdout.split("\0") if each and (ROOT / each).exists()]


def anchors(page: Path) -> set[str]:
    """Return the fragments by which the headings of `page` can be linked to, as GitHub creates them."""
    text = _CODE.sub(
        lambda match: match.group().strip("`") if "\n" not in match.group() else "",
        page.read_text(encoding="utf-8"),
    )
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


@pytest.mark.parametrize("page", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_anchors_are_made_as_github_makes_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One: `two()` & three\n\n```sh\n# not a heading\n```\n## Again\n## Again\n## 5. Cookie、会话\n",
        encoding="utf-8",
    )
    assert anchors(page) == {"one-two--three", "again", "again-1", "5-cookie会话"}
