"""Fixtures for the process-wide state of `tornado.web`, which apply to each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.web import clear_template_loaders
from tornado import web
from tornado.web._dispatch import _debug_checks
from tornado.web._security import _cookies


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Clear the template loaders, the versions of static files, and the names of cookies already reported."""
    yield
    clear_template_loaders()
    web.StaticFileHandler.reset()
    _cookies._LOGGED_NAMES.clear()


@pytest.fixture(autouse=True)
def no_blocking_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the warnings about handlers that block the event loop: a slow machine may cause them."""
    monkeypatch.setattr(_debug_checks, "BLOCKING_TIME", float("inf"))
