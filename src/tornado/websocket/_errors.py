"""What can go wrong with a WebSocket, as programs catch it."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import Any

from tornado._wire.ws_errors import WebSocketError

WebSocketError.__module__ = "tornado.websocket"


class WebSocketClosedError(WebSocketError):
    """Raised, or held by a Future, where something was to be sent and the WebSocket is closed or closing."""


def closed_error(owner: Any) -> WebSocketClosedError:
    """The error for who sends over what is closed.

    :param owner: has ``close_code`` and ``close_reason``, as the peer has given them.
    """
    text = "the WebSocket is closed or closing"
    error = getattr(getattr(owner, "handler", owner), "close_error", None)
    if error is not None:
        text += f": {error}"
    elif owner.close_code is not None:
        text += f"; its peer has closed it with {owner.close_code} {owner.close_reason or ''}".rstrip()
    return WebSocketClosedError(text)


def forget_frames(error: BaseException) -> None:
    """Have the tracebacks of an error, and of those behind it, tell lines but keep no variables of ours.

    Among these is whoever holds the error: a cycle, until the next collection. Frames of others are left
    alone: one that has caught the same error may be waiting in a coroutine, which clearing would end.
    """
    seen: set[int] = set()  # by identity: an error of a program's may have no hash
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        for frame, _ in traceback.walk_tb(following.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("tornado."):
                with contextlib.suppress(RuntimeError):  # it is running
                    frame.clear()
        following = following.__cause__ or following.__context__


def check_thread(loop: asyncio.AbstractEventLoop, what: str) -> None:
    """Find out whether the connections of a loop may be used from here.

    :raises RuntimeError: if this is another thread than the one that the loop runs in, or another loop.
    """
    running = asyncio._get_running_loop()
    if running is not loop and (running is not None or loop.is_running()):
        raise RuntimeError(
            f"{what} was called in another thread, or another loop, than that of the connection: "
            "use IOLoop.add_callback of its loop"
        )


__all__ = ["WebSocketClosedError", "WebSocketError", "check_thread", "closed_error", "forget_frames"]
