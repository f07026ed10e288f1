"""The lifespan of an application, driven by the lifespan events of an ASGI server."""

from __future__ import annotations

import traceback
from contextlib import AbstractAsyncContextManager
from typing import Any

from tornado.asgi._types import Receive, Send
from tornado.log import app_log


async def serve_lifespan(application: Any, receive: Receive, send: Send) -> None:
    """Run ``lifespan``, ``on_startup`` and ``on_shutdown`` of an application.

    A failure at the start is reported to the server, which then does not serve the application.
    """
    context = _lifespan_of(application)
    await receive()  # lifespan.startup
    try:
        if context is not None:
            await context.__aenter__()
    except Exception as error:
        app_log.error("The start of the application has failed", exc_info=error)
        await send({"type": "lifespan.startup.failed", "message": _summary(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    try:
        if context is not None:
            await context.__aexit__(None, None, None)
    except Exception as error:
        app_log.error("The shutdown of the application has failed", exc_info=error)
        await send({"type": "lifespan.shutdown.failed", "message": _summary(error)})
        return
    await send({"type": "lifespan.shutdown.complete"})


def _lifespan_of(application: Any) -> AbstractAsyncContextManager[None] | None:
    run_lifespan = getattr(application, "run_lifespan", None)
    return None if run_lifespan is None else run_lifespan()


def _summary(error: Exception) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


__all__ = ["serve_lifespan"]
