"""granian's RSGI without a framework: a server with an HTTP implementation in Rust."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from granian.constants import Interfaces
from granian.server.embed import Server

import settings

PLAIN, JSON = [("content-type", "text/plain")], [("content-type", "application/json")]


async def application(scope: Any, protocol: Any) -> None:
    """Handle both endpoints."""
    if scope.path.startswith("/item/"):
        query = dict(parse_qsl(scope.query_string))
        protocol.response_str(200, JSON, json.dumps({"id": int(scope.path[6:]), "q": query["q"]}))
    else:
        protocol.response_str(200, PLAIN, settings.TEXT)


asyncio.run(
    Server(
        application, address="127.0.0.1", port=settings.PORT, interface=Interfaces.RSGI, log_enabled=False
    ).serve()
)
