"""The internals of `tornado.testing` that tests access."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from tornado.testing import AsyncHTTPTestCase


def set_port(case: AsyncHTTPTestCase, port: int) -> None:
    """Set the port of the server without starting it."""
    case._port = port


def is_coroutine_function(function: Any) -> bool:
    """Whether a function counts as a coroutine function, marked ones included."""
    if hasattr(inspect, "markcoroutinefunction"):
        return inspect.iscoroutinefunction(function)
    return asyncio.iscoroutinefunction(function)
