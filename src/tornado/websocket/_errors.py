"""The exceptions of `tornado.websocket`, and helper functions that create or raise errors."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import Any

from tornado._wire.ws_errors import WebSocketError

WebSocketError.__module__ = "tornado.websocket"


class WebSocketClosedError(WebSocketError):
    """An attempt to send data on a WebSocket that is closed or closing.

    `~.WebSocketHandler.write_message` raises it; the Future that it returns may raise it, too.
    """


def closed_error(owner: Any) -> WebSocketClosedError:
    """Return the error for an attempt to send on a closed connection.

    :param owner: an object with the ``close_code`` and ``close_reason`` that the peer sent: a handler, a
        client connection or a protocol.
    """
    text = "the WebSocket is closed or closing"
    error = getattr(getattr(owner, "handler", owner), "close_error", None)
    if error is not None:
        text += f": {error}"
    elif owner.close_code is not None:
        text += f"; the peer closed it with code {owner.close_code} {owner.close_reason or ''}".rstrip()
    return WebSocketClosedError(text)


def clear_frames(error: BaseException) -> None:
    """Clear the local variables of this package in the tracebacks of an error, its causes and its contexts.

    The variables include the connection, which stores the failed Future of the handshake. In a measurement
    with 1,000 responses that had a wrong Sec-WebSocket-Accept and without the garbage collector, this
    reference cycle left 62 objects (2,900 bytes) for each response.

    The traceback itself is kept, and so are the variables of the program's frames, for error reports. Such
    a frame may also belong to a suspended coroutine that has caught the same error, and clearing the frame
    would end the coroutine.
    """
    seen: set[int] = set()  # ids, because a program's exception class may be unhashable
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("tornado."):
                with contextlib.suppress(RuntimeError):  # the frame is still executing
                    frame.clear()
        current = current.__cause__ or current.__context__


def check_thread(loop: asyncio.AbstractEventLoop, what: str) -> None:
    """Check that the caller may use the connections of an event loop.

    :param what: the name of the called function, for the error message.
    :raises RuntimeError: if the caller runs in another thread or in another event loop.
    """
    running = asyncio._get_running_loop()
    if running is not loop and (running is not None or loop.is_running()):
        raise RuntimeError(
            f"{what} must be called in the thread and event loop of the connection: "
            "use its IOLoop.add_callback() from elsewhere"
        )


__all__ = ["WebSocketClosedError", "WebSocketError", "check_thread", "clear_frames", "closed_error"]
