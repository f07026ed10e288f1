"""The server of the ASGI programs, in one process: uvicorn with uvloop and httptools, or ``BENCH_SERVER``."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import settings


def serve(application: Any) -> None:
    """Run ``application`` until the process is ended."""
    server = {"waterspout": _waterspout, "hypercorn": _hypercorn}.get(
        os.environ.get("BENCH_SERVER", ""), _uvicorn
    )
    server(application)


def _uvicorn(application: Any) -> None:
    import uvicorn

    uvicorn.run(
        application,
        host="127.0.0.1",
        port=settings.PORT,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="info" if settings.LOG else "critical",
        access_log=settings.LOG,
        # Under valgrind a round may take longer than five seconds, the default timeout of idle connections.
        timeout_keep_alive=600,
        ssl_certfile=settings.CERTIFICATE,
        ssl_keyfile=settings.KEY,
    )


def _hypercorn(application: Any) -> None:
    import uvloop
    from hypercorn.asyncio import serve as run
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{settings.PORT}"]
    config.accesslog = "-" if settings.LOG else None
    config.errorlog = None
    config.keep_alive_timeout = 600
    config.certfile, config.keyfile = settings.CERTIFICATE, settings.KEY
    uvloop.run(run(application, config))  # type: ignore[arg-type]


def _waterspout(application: Any) -> None:
    from tornado.asgi import ASGIContainer
    from tornado.httpserver import HTTPServer

    logging.basicConfig(level=logging.INFO if settings.LOG else logging.CRITICAL)

    async def main() -> None:
        server = HTTPServer(
            ASGIContainer(application, lifespan="off"),
            ssl_options=settings.ssl_context(),
            idle_connection_timeout=600,
        )
        server.listen(settings.PORT, "127.0.0.1")
        await asyncio.Event().wait()

    if settings.LOOP == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
