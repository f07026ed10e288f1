"""The server of the ASGI programs: uvicorn with uvloop and httptools, in one process."""

from __future__ import annotations

from typing import Any

import uvicorn

import settings


def serve(application: Any) -> None:
    """Run ``application`` until the process is ended."""
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
