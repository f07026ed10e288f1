"""The marks of the tests that ``scripts/test --quick`` leaves out."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from tests.support.marks import EXTERNAL, SLOW, marks
from tests.support.program import ROOT


@pytest.mark.parametrize(
    ("path", "fixtures", "expected"),
    [
        ("test_util.py", [], []),
        ("demos/test_chat.py", [], ["external"]),
        ("seeds/programs/test_own.py", [], ["external"]),
        ("docs/test_links.py", [], []),
        ("docs/test_course.py", [], ["external"]),
        ("test_process.py", ["clock"], ["slow"]),
        ("test_process.py", ["browser"], ["external", "slow"]),
        ("web/_sessions/test_redis.py", ["redis_server"], ["external"]),
    ],
)
def test_marks_by_place_and_fixture(path, fixtures, expected):
    assert marks(PurePath(path), fixtures) == expected


def test_every_place_exists_and_has_a_reason():
    assert [place for place in [*EXTERNAL, *SLOW] if not (ROOT / "tests" / place).exists()] == []
    assert all([*EXTERNAL.values(), *SLOW.values()])


def test_hook_adds_the_marks(request):
    names = {mark.name for mark in request.node.iter_markers()}
    assert names.isdisjoint({"external", "slow"})
    items = {item.path.name: item for item in request.session.items}
    for item in items.values():
        found = {mark.name for mark in item.iter_markers()} & {"external", "slow"}
        path = item.path.relative_to(ROOT / "tests")
        assert found == set(marks(path, getattr(item, "fixturenames", ())))
