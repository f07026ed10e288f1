"""WSGI applications on a server of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest

from tests.support.server import Server, serving
from tornado.wsgi import WSGIContainer


def framework(name: str) -> ModuleType:
    """A package that a test needs. Where it is absent: a skip, or a failure when ``CI`` is set."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail(f"this test may not be skipped here: {name} is absent; pip install {name}")
        pytest.skip(f"{name} is absent; pip install {name}", allow_module_level=True)


@contextlib.asynccontextmanager
async def running(application: Any, threads: int | None = 4, **options: Any) -> AsyncIterator[Server]:
    """Serve a WSGI application, or a container; `options` are the server's. Its threads end here."""
    container = (
        application if isinstance(application, WSGIContainer) else WSGIContainer(application, threads=threads)
    )
    try:
        async with serving(container, **options) as server:
            yield server
    finally:
        await asyncio.to_thread(container.close)
