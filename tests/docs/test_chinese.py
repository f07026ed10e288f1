"""README.zh.md and docs/guide/zh contain the same programs, headings and names as the English documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.guides import GUIDE
from tests.support.program import ROOT

CHAPTERS = sorted((GUIDE / "zh").glob("*.md"))
README = ROOT / "README.zh.md"
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[(?:[^\]`]|`[^`]*`)*\]\(([^)\s]+)\)")

chinese_pages = pytest.mark.parametrize(
    "page", [README, *CHAPTERS], ids=lambda path: str(path.relative_to(ROOT))
)


def english(page: Path) -> Path:
    """Return the page of which `page` is the translation."""
    return ROOT / "README.md" if page == README else GUIDE / page.name


def blocks(page: Path) -> list[str]:
    """Return the code blocks of a page, with their fences."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def sections(page: Path) -> list[tuple[str, str]]:
    """Return the sections of a page, as the marks of the heading's level and the text without code blocks."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"^(#+) (.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)


def names(text: str) -> set[str]:
    """Return the names and values in code font."""
    return {re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", text)}


def test_there_are_chinese_chapters() -> None:
    assert {"README", "handlers"} <= {page.stem for page in CHAPTERS}


@chinese_pages
def test_code_blocks_are_those_of_the_english_page(page: Path) -> None:
    assert blocks(page) == blocks(english(page))


@chinese_pages
def test_headings_have_the_levels_of_the_english_ones(page: Path) -> None:
    assert [level for level, _ in sections(page)] == [level for level, _ in sections(english(page))]


@chinese_pages
def test_each_section_has_the_names_of_the_english_one(page: Path) -> None:
    for (_, translated), (_, original) in zip(sections(page), sections(english(page)), strict=True):
        assert names(translated) == names(original), translated.partition("\n")[0]


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda path: path.stem)
def test_links_lead_to_the_chinese_chapter_if_there_is_one(page: Path) -> None:
    if page.stem == "README":
        return  # The page links both versions of each chapter.
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    translated = {f"../{each.name}" for each in CHAPTERS}
    assert [each for each in targets if each.partition("#")[0] in translated] == []


def test_the_index_links_both_versions_of_each_chapter() -> None:
    index = (GUIDE / "zh/README.md").read_text(encoding="utf-8")
    listed = _LINK.findall(index)
    assert {each for each in listed if re.fullmatch(r"\w+\.md", each)} == {
        page.name for page in CHAPTERS if page.stem != "README"
    }
    assert {Path(each).stem for each in listed if re.fullmatch(r"\.\./\w+\.md", each)} == {
        page.stem for page in GUIDE.glob("*.md") if page.stem != "README"
    }
