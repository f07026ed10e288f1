"""REDbot finds no faults in the responses of ``compliance/redbot/app.py``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from compliance.redbot import checks
from compliance.redbot.app import make_application
from tests.support.server import serving


@pytest.mark.deadline(checks.TIMEOUT)
async def test_redbot_finds_no_faults(tmp_path: Path) -> None:
    if os.environ.get("CI"):
        checks.install()
    elif not checks.installed():
        pytest.skip(f"REDbot {checks.VERSION} is not installed; install it with scripts/compliance redbot")
    async with serving(make_application(tmp_path)) as server:
        found = await asyncio.to_thread(checks.faults, server.port)
    assert found == []


def test_a_fault_would_be_reported() -> None:
    check = checks.Check("/page")
    notes = [
        ("bad", "field-date", "nonsense"),
        ("good", "", "fine"),
        ("warning", "", next(iter(checks.ACCEPTED))),
    ]
    assert checks.judge(check, 200, notes) == ["GET /page: bad: field-date: nonsense"]
    assert checks.judge(check, None, []) == ["GET /page: status None, expected 200"]
