"""ASGI applications for `compliance.asgi.disconnects`: correct ones, and ones with every kind of fault.

An application of `CORRECT` must never cause a log record, whenever its client disconnects. One of `FAULTY`
may cause records of the logger ``tornado.application``, but affects no other request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

_START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
_PART: dict[str, Any] = {"type": "http.response.body", "body": bytes(30_000), "more_body": True}
_LAST: dict[str, Any] = {"type": "http.response.body", "body": b"end"}
_MESSAGE: dict[str, Any] = {"type": "websocket.send", "bytes": bytes(30_000)}
#: The number of parts of a finite response or stream of messages: more than the socket's buffers contain.
_PARTS = 200


async def one(scope: Any, receive: Receive, send: Send) -> None:
    """Respond without reading the body."""
    await send(_START)
    await send(_LAST)


async def echo(scope: Any, receive: Receive, send: Send) -> None:
    """Read the body, then respond with it."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        parts.append(message["body"])
        if not message["more_body"]:
            break
    await send(_START)
    await send({"type": "http.response.body", "body": b"".join(parts)})


async def both_ways(scope: Any, receive: Receive, send: Send) -> None:
    """Send each part of the body as it arrives."""
    await send(_START)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


async def stream(scope: Any, receive: Receive, send: Send) -> None:
    """Send a long response."""
    await send(_START)
    for _ in range(_PARTS):
        await send(_PART)
    await send(_LAST)


async def stream_until_disconnect(scope: Any, receive: Receive, send: Send) -> None:
    """Stream in one task, and wait for the disconnect in another, as Starlette does."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listening = asyncio.create_task(listen())
    try:
        await send(_START)
        while not listening.done():
            await send(_PART)
            await asyncio.sleep(0)
    finally:
        listening.cancel()


async def wait(scope: Any, receive: Receive, send: Send) -> None:
    """Wait for the disconnect, then try to respond."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await send(_START)
    await send(_LAST)


async def several_receivers(scope: Any, receive: Receive, send: Send) -> None:
    """Receive in three tasks until each has seen the disconnect."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    await asyncio.gather(listen(), listen(), listen())


async def hint(scope: Any, receive: Receive, send: Send) -> None:
    """Send early hints, then a response with trailers."""
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await asyncio.sleep(0)
    await send({**_START, "trailers": True})
    await send(_PART)
    await send(_LAST)
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})


async def send_file(scope: Any, receive: Receive, send: Send) -> None:
    """Send a file."""
    await send(_START)
    await send({"type": "http.response.pathsend", "path": str(Path(__file__))})


async def linger(scope: Any, receive: Receive, send: Send) -> None:
    """Continue after the response until the disconnect is known."""
    await one(scope, receive, send)
    for _ in range(20):
        assert (await receive())["type"] in ("http.disconnect", "http.request")


async def insist(scope: Any, receive: Receive, send: Send) -> None:
    """Continue to send after errors."""
    for message in [_START, *[_PART] * 50, _LAST, _LAST, _LAST]:
        with contextlib.suppress(OSError, RuntimeError):
            await send(message)
        await asyncio.sleep(0)


async def fail_first(scope: Any, receive: Receive, send: Send) -> None:
    """Raise an exception before the response."""
    await receive()
    raise ValueError("fault")


async def fail_later(scope: Any, receive: Receive, send: Send) -> None:
    """Raise an exception in the middle of the response."""
    await send(_START)
    for _ in range(5):
        await send(_PART)
        await asyncio.sleep(0)
    raise ValueError("fault")


async def cancel_first(scope: Any, receive: Receive, send: Send) -> None:
    """Raise CancelledError before the response."""
    await receive()
    raise asyncio.CancelledError


async def cancel_later(scope: Any, receive: Receive, send: Send) -> None:
    """Raise CancelledError in the middle of the response."""
    await send(_START)
    await send(_PART)
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def send_twice(scope: Any, receive: Receive, send: Send) -> None:
    """Send two responses."""
    await one(scope, receive, send)
    await one(scope, receive, send)


async def leave_open(scope: Any, receive: Receive, send: Send) -> None:
    """Return in the middle of the response."""
    await send(_START)
    await send(_PART)


async def ignore_disconnect(scope: Any, receive: Receive, send: Send) -> None:
    """Call ``receive`` in a loop, whatever it returns."""
    while not scope["state"]["released"].is_set():
        await receive()


async def never_end(scope: Any, receive: Receive, send: Send) -> None:
    """Neither receive nor send."""
    await scope["state"]["released"].wait()
    await one(scope, receive, send)


# -- WebSockets --


async def _accept(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def ws_echo(scope: Any, receive: Receive, send: Send) -> None:
    """Return messages to the client."""
    await _accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def ws_stream(scope: Any, receive: Receive, send: Send) -> None:
    """Send many messages, then close."""
    await _accept(receive, send)
    for _ in range(_PARTS):
        await send(_MESSAGE)
    await send({"type": "websocket.close"})


async def ws_close(scope: Any, receive: Receive, send: Send) -> None:
    """Close the connection without receiving a message, and wait for its end."""
    await _accept(receive, send)
    await send({"type": "websocket.close", "code": 4000})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def ws_return(scope: Any, receive: Receive, send: Send) -> None:
    """Return with an open connection."""
    await _accept(receive, send)


async def ws_late(scope: Any, receive: Receive, send: Send) -> None:
    """Accept after the client may have disconnected."""
    await receive()
    for _ in range(5):
        await asyncio.sleep(0)
    await send({"type": "websocket.accept"})
    await receive()


async def ws_refuse(scope: Any, receive: Receive, send: Send) -> None:
    """Reject the handshake."""
    await receive()
    await asyncio.sleep(0)
    await send({"type": "websocket.close"})


async def ws_deny(scope: Any, receive: Receive, send: Send) -> None:
    """Reject the handshake with a long response."""
    await receive()
    await send({**_START, "type": "websocket.http.response.start", "status": 403})
    for _ in range(_PARTS):
        await send({**_PART, "type": "websocket.http.response.body"})
    await send({**_LAST, "type": "websocket.http.response.body"})


async def ws_never_end(scope: Any, receive: Receive, send: Send) -> None:
    """Accept, and neither receive nor send."""
    await _accept(receive, send)
    await scope["state"]["released"].wait()


async def ws_fail_first(scope: Any, receive: Receive, send: Send) -> None:
    """Raise an exception before the answer to the handshake."""
    await receive()
    raise ValueError("fault")


async def ws_fail_later(scope: Any, receive: Receive, send: Send) -> None:
    """Raise an exception after a message."""
    await _accept(receive, send)
    await receive()
    raise ValueError("fault")


async def ws_cancel(scope: Any, receive: Receive, send: Send) -> None:
    """Raise CancelledError after a message."""
    await _accept(receive, send)
    await receive()
    raise asyncio.CancelledError


async def ws_no_answer(scope: Any, receive: Receive, send: Send) -> None:
    """Return without an answer to the handshake."""


async def ws_accept_twice(scope: Any, receive: Receive, send: Send) -> None:
    """Accept twice."""
    await _accept(receive, send)
    await send({"type": "websocket.accept"})


def _named(*applications: Application) -> dict[str, Application]:
    return {each.__name__: each for each in applications}  # type: ignore[attr-defined]


#: The applications by kind of scope and by whether they are correct.
CORRECT = {
    "http": _named(
        one,
        echo,
        both_ways,
        stream,
        stream_until_disconnect,
        wait,
        several_receivers,
        hint,
        send_file,
        linger,
        insist,
        ignore_disconnect,
        never_end,
    ),
    "websocket": _named(ws_echo, ws_stream, ws_close, ws_return, ws_late, ws_refuse, ws_deny, ws_never_end),
}
FAULTY = {
    "http": _named(fail_first, fail_later, cancel_first, cancel_later, send_twice, leave_open),
    "websocket": _named(ws_fail_first, ws_fail_later, ws_cancel, ws_no_answer, ws_accept_twice),
}

__all__ = ["CORRECT", "FAULTY", "Application", "one"]
