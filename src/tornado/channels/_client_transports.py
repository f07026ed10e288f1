"""The three transports of `ChannelClient`. Each runs one connection until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

from tornado._wire import sse
from tornado.channels._client_state import ClientState
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

#: The time limit for the establishment of a connection, in seconds.
CONNECT_TIMEOUT = 10.0
#: How long a client waits for a reply to its ``ping``, in seconds.
_PONG_TIMEOUT = 10.0
#: How long a client that is closed waits for the close of its WebSocket, in seconds.
_CLOSE_TIMEOUT = 1.0
_POLL_WAIT = 25.0
_TOO_LARGE = 413
_JSON = {"Content-Type": "application/json"}


class Disconnected(Exception):
    """Raised when a connection has ended.

    :param code: a close code of a WebSocket or an HTTP status, or None.
    :param retry: the number of seconds after which to connect again, if the server has named it.
    """

    def __init__(self, code: int | None, reason: str = "", retry: float | None = None) -> None:
        super().__init__(f"{'' if code is None else code} {reason}".strip())
        self.code = code
        self.retry = retry


class InvalidMessageError(Disconnected):
    """Raised when the server, or an intermediary, has sent something that cannot be processed."""


@contextlib.contextmanager
def _processing() -> Iterator[None]:
    """Regard the connection as broken if what it has received cannot be processed.

    The parts of a message are used in many places. Checking each of them there would not find more.
    """
    try:
        yield
    except Exception as error:
        raise InvalidMessageError(None, repr(error)) from error


class Connection(Protocol):
    """The part of `ChannelClient` that a transport uses."""

    url: str
    state: ClientState
    http: AsyncHTTPClient
    #: Set when the subscriptions or the token have changed, so that a stream must be opened again.
    changed: asyncio.Event
    #: Set when there is a publication to send.
    publishing: asyncio.Event

    def hello(self) -> dict[str, Any]:
        """Return the members ``token`` and ``client``."""

    def receive(self, found: Mapping[str, Any]) -> None:
        """Process an object of the server."""

    async def wait_for_room(self) -> None:
        """Wait until the program has read enough, or waits for a subscription."""

    def use(self, send: Callable[[dict[str, Any]], None] | None) -> None:
        """Set the function that sends requests, or None if there is no connection that can."""


async def run_websocket(client: Connection) -> None:
    """Connect with a WebSocket."""
    url = "ws" + client.url.removeprefix("http")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            socket = await websocket_connect(url)
    except HTTPClientError as error:
        raise Disconnected(error.code, error.message) from error

    def send(request: dict[str, Any]) -> None:
        text = json.dumps(request)
        limit = client.state.max_request
        if limit is not None and len(text) > limit:  # the server would close the connection
            client.receive({**_error("too_large", f"a request has at most {limit} bytes"), **_names(request)})
            return
        try:
            _ = socket.write_message(text)
        except WebSocketClosedError:
            pass  # the loop below ends

    reading: asyncio.Future[Any] | None = None
    keep_alive = CONNECT_TIMEOUT  # until the server has set it
    try:
        send({"type": "connect", **client.hello()})
        for wanted in list(client.state.requests()):
            send(wanted)
        client.use(send)
        limit, is_checked = keep_alive, True
        while True:
            reading = reading or asyncio.ensure_future(socket.read_message())
            await asyncio.wait([reading], timeout=limit)
            if not reading.done():
                if is_checked:
                    raise Disconnected(None, "the server does not reply")
                send({"type": "ping"})
                limit, is_checked = _PONG_TIMEOUT, True
                continue
            text, reading = reading.result(), None
            if text is None:
                raise Disconnected(socket.close_code, socket.close_reason or "")
            with _processing():
                found = json.loads(text)
                keep_alive = float(found.get("keep_alive", keep_alive))
                client.receive(found)
            limit, is_checked = keep_alive, False
    except asyncio.CancelledError:
        socket.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                while await (reading or socket.read_message()) is not None:
                    reading = None
        raise
    finally:
        client.use(None)
        if reading is not None:
            reading.cancel()
        socket.close()


async def run_stream(client: Connection) -> None:
    """Connect with server-sent events and POST."""
    await _with_publisher(client, _stream)


async def run_polling(client: Connection) -> None:
    """Connect with long polling and POST."""
    await _with_publisher(client, _poll)


async def _with_publisher(client: Connection, receive: Callable[[Connection], Awaitable[None]]) -> None:
    """Receive and publish at the same time. Begin again when the subscriptions have changed."""
    publisher = asyncio.ensure_future(_publish_all(client))
    try:
        while True:
            client.changed.clear()
            receiver = asyncio.ensure_future(receive(client))
            changed = asyncio.ensure_future(client.changed.wait())
            tasks: set[asyncio.Future[Any]] = {receiver, changed, publisher}
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                receiver_is_done = receiver.done()
                receiver.cancel()
                changed.cancel()
                results = await asyncio.gather(receiver, changed, return_exceptions=True)
            error = results[0] if receiver_is_done else None
            if isinstance(error, BaseException) and not _can_continue(client, error):
                raise error
            if publisher.done():
                publisher.result()
    finally:
        publisher.cancel()
        await asyncio.gather(publisher, return_exceptions=True)


def _can_continue(client: Connection, error: BaseException) -> bool:
    """End the newest subscription if the request is too large. Return whether to try it without this one.

    The limit may be that of a proxy, so it is not known. A program that subscribes to one channel after the
    other is told of the first one that does not fit.
    """
    is_too_large = isinstance(error, Disconnected) and error.code == _TOO_LARGE
    return is_too_large and client.state.refuse_newest()


async def _stream(client: Connection) -> None:
    body = {"type": "stream", **client.hello(), "subscribe": client.state.requests_over_http()}
    parser = sse.Parser()
    keep_alive = 0.0
    try:
        async with client.http.stream(_request(client, body, 0)) as response:
            chunks = aiter(response)
            while True:
                limit = 2 * keep_alive + _PONG_TIMEOUT if keep_alive else CONNECT_TIMEOUT
                try:
                    async with asyncio.timeout(limit):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    retry = None if parser.retry is None else parser.retry / 1000
                    raise Disconnected(None, "the stream has ended", retry) from None
                with _processing():
                    parser.receive_data(chunk)
                    while (event := parser.next_event()) is not None:
                        found = json.loads(event.data)
                        keep_alive = float(found.get("keep_alive", keep_alive))
                        client.receive(found)
    except HTTPClientError as error:
        raise Disconnected(error.code, error.message) from error


async def _poll(client: Connection) -> None:
    is_first = True
    while True:
        await client.wait_for_room()
        body = {"type": "poll", **client.hello(), "subscribe": client.state.requests_over_http(is_poll=True)}
        body["wait"] = 0 if is_first else _POLL_WAIT
        found = await _post(client, body)
        with _processing():
            messages, delay = found["messages"], found.get("retry", 0) / 1000
            if is_first:
                client.receive({"type": "connected"})
                is_first = False
            for each in messages:
                client.receive(each)
        if client.state.is_refused():
            await client.changed.wait()  # set after the time that the server has named
        await asyncio.sleep(delay)


async def _publish_all(client: Connection) -> None:
    """Send the publications one after the other, so that their order is kept."""
    state = client.state
    while True:
        client.publishing.clear()
        for name, publication in list(state.unconfirmed.items()):
            if name not in state.unconfirmed:
                continue  # the program has cancelled it
            publication.was_sent = True
            found = await _post(client, {**client.hello(), **publication.request})
            with _processing():
                client.receive({**found, "id": name})
            if state.publish_retry is not None:
                delay, state.publish_retry = state.publish_retry, None
                await asyncio.sleep(delay)
                client.publishing.set()
                break
        await client.publishing.wait()


async def _post(client: Connection, body: dict[str, Any]) -> dict[str, Any]:
    """Send a request. Return the reply, which may be an ``error`` about this request."""
    request = _request(client, body, _POLL_WAIT + 2 * _PONG_TIMEOUT)
    try:
        response = await client.http.fetch(request, raise_error=False)
    except HTTPClientError as error:  # there is no response
        raise Disconnected(error.code, error.message) from error
    if response.code in (401, 599) or (response.code >= 400 and body["type"] == "poll"):
        raise Disconnected(response.code, response.reason or "")
    if response.code == _TOO_LARGE:  # the response may be that of a proxy
        return _error("too_large", "the message is larger than the server or a proxy permits")
    # A proxy that cannot reach the server responds with an error; anything else is not expected.
    kind = Disconnected if response.code >= 400 else InvalidMessageError
    try:
        found: dict[str, Any] = json.loads(response.body)
    except (ValueError, RecursionError):
        raise kind(response.code, "the response is not JSON") from None
    expected = ("published", "error") if body["type"] == "publish" else ("poll",)
    if not isinstance(found, dict) or found.get("type", "poll") not in expected:
        raise kind(response.code, "the response is not that of a ChannelHandler")
    return found


def _error(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message}


def _names(request: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a request that its reply repeats."""
    return {name: request[name] for name in ("id", "channel") if name in request}


def _request(client: Connection, body: dict[str, Any], timeout: float) -> HTTPRequest:
    text = json.dumps(body)
    return HTTPRequest(
        client.url,
        "POST",
        headers=_JSON,
        body=text,
        connect_timeout=CONNECT_TIMEOUT,
        request_timeout=timeout,
    )


__all__ = ["Connection", "Disconnected", "InvalidMessageError", "run_polling", "run_stream", "run_websocket"]
