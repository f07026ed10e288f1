"""The internals of `tornado.testing` that tests access."""

from __future__ import annotations

from tornado.testing import AsyncHTTPTestCase


def set_port(case: AsyncHTTPTestCase, port: int) -> None:
    """Set the port of the server without starting it."""
    case._port = port
