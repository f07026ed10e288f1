"""What `tornado.web` keeps for the whole process is forgotten after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tornado import web


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Forget template loaders and versions of static files."""
    yield
    web.RequestHandler._template_loaders.clear()
    web.StaticFileHandler.reset()
