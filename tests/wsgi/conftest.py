"""Fixtures that serve WSGI applications."""

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
    """Import a package that a test needs. If it is missing, skip the test, or fail if ``CI`` is set."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and tests must not be skipped in CI; pip install {name}")
        pytest.skip(f"{name} is not installed; pip install {name}", allow_module_level=True)


@contextlib.asynccontextmanager
async def running(application: Any, threads: int | None = 4, **options: Any) -> AsyncIterator[Server]:
    """Serve a WSGI application or a container, and end its threads afterwards.

    :param options: arguments of the server.
    """
    container = (
        application if isinstance(application, WSGIContainer) else WSGIContainer(application, threads=threads)
    )
    try:
        async with serving(container, **options) as server:
            yield server
    finally:
        await asyncio.to_thread(container.close)
