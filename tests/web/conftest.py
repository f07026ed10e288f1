"""Resets the process-wide state of `tornado.web` after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tornado import web
from tornado.web import _cookies, _debug_checks


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Clear the caches of template loaders, versions of static files, and cookies with a logged warning."""
    yield
    web.RequestHandler._template_loaders.clear()
    web.StaticFileHandler.reset()
    _cookies._LOGGED_NAMES.clear()


@pytest.fixture(autouse=True)
def no_blocking_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the warnings about handlers that block the event loop, which a slow machine may cause."""
    monkeypatch.setattr(_debug_checks, "BLOCKING_TIME", float("inf"))
