"""docs/guide: each program of a chapter is run, by its `main` or as an application, and receives requests.

The functions that check a chapter are in `tests.docs.chapters`, in the module that has the chapter's name.
Pages that another module tests (client.md, network.md and others) are not repeated here.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import PostgreSQL, running_postgresql
from tests.support.guides import GUIDE, Run, folder_of, is_served, load, pages, programs

HERE = Path(__file__).parent
CHAPTERS = sorted(path.stem for path in (HERE / "chapters").glob("*.py"))
PROGRAMS = [(chapter, name) for chapter in CHAPTERS for name in programs(GUIDE / f"{chapter}.md")]
#: Pages whose programs other tests run.
ELSEWHERE = {"README", "client", "deploying", "network", "nginx", "testing"}


@pytest.fixture
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server."""
    with running_postgresql() as server:
        yield server


def checks(chapter: str) -> Any:
    return importlib.import_module(f"tests.docs.chapters.{chapter}")


@pytest.mark.parametrize(("chapter", "name"), PROGRAMS, ids=[f"{each[0]}-{each[1]}" for each in PROGRAMS])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_program(
    chapter: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    module = checks(chapter)
    check = getattr(module, f"check_{name}")
    page = GUIDE / f"{chapter}.md"
    with folder_of(page, tmp_path, monkeypatch):
        if prepare := getattr(module, "prepare", None):
            prepare(name, monkeypatch, request)
        if name in getattr(module, "COMMANDS", ()):
            await check(Run({}, tmp_path, request))
            return
        run = Run(load(page, name, tmp_path), tmp_path, request)
        if not is_served(run.program):
            await check(run)
            return
        logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
        try:
            async with run.served(monkeypatch):
                await check(run)
        finally:
            logging.getLogger("tornado.access").setLevel(logging.NOTSET)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_program_is_checked(chapter: str) -> None:
    named = programs(GUIDE / f"{chapter}.md")
    found = {name.removeprefix("check_") for name in vars(checks(chapter)) if name.startswith("check_")}
    assert set(named) == found
    assert len(named) == (GUIDE / f"{chapter}.md").read_text().count("```python\n")


def test_every_page_is_tested() -> None:
    assert {page.stem for page in pages()} == {*CHAPTERS, *ELSEWHERE}


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"\]\((\w+)\.md\)", (GUIDE / "README.md").read_text())
    assert sorted(set(listed)) == sorted({page.stem for page in pages()} - {"README"})
