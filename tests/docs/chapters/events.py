"""docs/guide/events.md."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

from tests.support.guides import Run
from tests.support.server import serving
from tornado import web


async def check_prices(run: Run) -> None:
    """Each event is sent to an open stream; a client that reconnects receives the events that it missed."""
    assert b"EventSource" in (await run.server.fetch("/")).body

    async def put(price: float) -> str:
        body = json.dumps({"EUR": price}).encode()
        answer = await run.server.fetch("/price", "Content-Type: application/json", method="PUT", body=body)
        return str(json.loads(answer.body)["id"])

    first = await put(1.5)
    await put(2.5)
    peer = await run.server.connect()
    peer.get("/prices", f"Last-Event-ID: {first}")
    received = await peer.reader.readuntil(b'{"EUR": 2.5}')
    assert b"event: price" in received
    assert b'{"EUR": 1.5}' not in received
    await peer.close()


async def check_countdown(run: Run) -> None:
    whole = await run.server.fetch("/from/3")
    assert whole.get("content-type").startswith("text/event-stream")
    assert re.findall(rb"^data: (.*)$", whole.body, re.MULTILINE) == [b"3", b"2", b"1"]


async def check_log(run: Run) -> None:
    whole = await run.server.fetch("/log")
    assert re.findall(rb"^data: line (.)$", whole.body, re.MULTILINE) == [b"1", b"2", b"3", b"4", b"5"]
    assert b"retry: 500" in whole.body
    rest = await run.server.fetch("/log", "Last-Event-ID: 3")
    assert re.findall(rb"^data: line (.)$", rest.body, re.MULTILINE) == [b"4", b"5"]
    assert (await run.server.fetch("/log", "Last-Event-ID: 5")).code == 204


class Price(web.EventSourceHandler):
    """A handler whose stream consists of one price."""

    async def stream(self) -> None:
        await self.send_event({"EUR": 1.08}, event="price")


class Texts(web.EventSourceHandler):
    """A handler whose texts contain line breaks, and whose stream ends within an event."""

    async def stream(self) -> None:
        for text in ("one\ntwo", "", "drei \u20ac\n\nvier"):
            await self.send_event(text)
        self.write(b"data: incomplete\n")


async def check_watch(run: Run) -> None:
    async with serving(web.Application([("/", Price), ("/texts", Texts)])) as server:
        assert await run.program["first_price"](f"http://127.0.0.1:{server.port}/") == 1.08
        body = (await server.fetch("/texts")).body
    for size in (1, 2, 3, 7, len(body)):
        events = run.program["events"](_chunks(body, size))
        assert [data async for data in events] == ["one\ntwo", "", "drei \u20ac\n\nvier"]


async def _chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield the body in chunks of up to `size` bytes."""
    for start in range(0, len(body), size):
        yield body[start : start + size]
