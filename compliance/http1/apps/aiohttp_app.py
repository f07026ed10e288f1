"""The echo program on aiohttp."""

from __future__ import annotations

import asyncio
import logging
import os

from aiohttp import web
from echo import METHODS, describe, needs, ssl_context


async def answer(request: web.Request) -> web.StreamResponse:
    """Respond with the request as understood, or with the response that the target requests."""
    status, flushed = needs(request.path) or (200, False)
    if status != 200:
        return web.Response(status=status)
    body = await request.read()
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
    # The target as sent, except for the absolute form, of which a handler sees only path and query.
    target = request.raw_path if request.raw_path[:1] in ("/", "*") else str(request.rel_url)
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    host = request.host if "Host" in request.headers else None
    text = describe(request.method, target, version, host, fields, body)
    if not flushed:
        return web.Response(body=text, content_type="application/json")
    response = web.StreamResponse()
    await response.prepare(request)
    for piece in (text[:5], text[5:]) if request.method != "HEAD" else ():
        await response.write(piece)
    return response


async def main() -> None:
    """Serve until the process is terminated."""
    logging.basicConfig(level=logging.CRITICAL)
    application = web.Application(client_max_size=10**9)
    for method in METHODS:
        application.router.add_route(method, "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["ECHO_PORT"]), ssl_context=ssl_context()).start()
    await asyncio.Event().wait()


asyncio.run(main())
