"""Send cases to a server, and record the responses.

No case waits for something not to happen. One more request, the sentinel, follows the octets of a case. A
response to it proves that the connection is open and that the server agrees on the end of the case; the end
of the input proves that the connection is closed. A case without any further progress has timed out and
failed.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from compliance.http1.case import ANSWER, Case, End, get
from compliance.http1.responses import Malformed, Response, ResponseParser
from compliance.http1.wire import Wire, pieces

SENTINEL_TARGET = "/sentinel"
SENTINEL = get(target=SENTINEL_TARGET)


class Feed(enum.Enum):
    """How the octets of a case are sent."""

    WHOLE = "whole"  #: all together, with the sentinel
    BYTES = "bytes"  #: one by one, including the sentinel


@dataclass(frozen=True)
class Target:
    """A running server.

    :ivar name: the name that `Case.only` uses.
    :ivar context: the TLS context; None for plain HTTP.
    :ivar pause: seconds between two octets that are sent one by one. With 0 the event loop runs two
        iterations between them, which is exact for a server in the same loop.
    :ivar deadline: seconds without any data in either direction after which a case ends.
    :ivar parallel: maximum number of concurrent connections.
    """

    name: str
    address: tuple[str, int]
    context: ssl.SSLContext | None = None
    pause: float = 0.0
    deadline: float = 20.0
    parallel: int = 100


@dataclass
class Result:
    """The behaviour of a server.

    :ivar end: how the connection ended; None after a timeout.
    :ivar fault: why the responses could not be parsed, or an empty string.
    """

    responses: list[Response] = field(default_factory=list)
    end: End | None = None
    fault: str = ""


class Exchange:
    """A case on a connection."""

    def __init__(self, case: Case, wire: Wire, target: Target, feed: Feed) -> None:
        self.result = Result()
        self._case, self._wire, self._target, self._feed = case, wire, target, feed
        self._over = asyncio.Event()
        self._sent = False
        self._news = asyncio.Condition()
        self._timeout = asyncio.timeout(target.deadline)

    async def run(self) -> None:
        """Send everything, and receive until the case is complete or has timed out."""
        try:
            async with self._timeout, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                talk = tasks.create_task(self._talk())
                await self._over.wait()
                talk.cancel()
        except TimeoutError:
            self.result.end = None

    def _note_progress(self) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._target.deadline)

    async def _talk(self) -> None:
        awaited, collected = 0, b""
        for part in self._case.parts:
            if part is ANSWER:
                await self._send(collected)
                awaited, collected = awaited + 1, b""
                async with self._news:
                    while len(self.result.responses) < awaited:
                        await self._news.wait()
            else:
                collected += part
        if self._case.half_close:
            await self._send(collected)
        elif self._feed is Feed.WHOLE:
            await self._send(collected + SENTINEL)
        else:
            await self._send(collected)
            await self._wire.send(SENTINEL)
        self._sent = True
        if self._case.half_close:
            await self._wire.half_close()
        else:
            await self._close_after_server()

    async def _close_after_server(self) -> None:
        """Under TLS, close the sending side once the server has closed its own and everything is sent.

        A server that has refused a body may wait for the client to close first, so that its response is not
        lost; otherwise the server would only close after a delay.
        """
        last = self.result.responses[-1:]
        if self._sent and self._target.context is not None and last:
            if "close" in (last[0].get("connection") or "").lower():
                await self._wire.half_close()

    async def _send(self, data: bytes) -> None:
        if self._feed is Feed.WHOLE:
            await self._wire.send(data)
            return
        for number, piece in enumerate(pieces(data)):
            if not await self._wire.send(piece):
                return
            if number % 256 == 0:
                self._note_progress()
            await asyncio.sleep(self._target.pause)
            await asyncio.sleep(0)

    async def _listen(self) -> None:
        parser = ResponseParser(self._case.bodiless)
        try:
            while data := await self._wire.receive():
                self._note_progress()
                if await self._take(parser.receive(data)):
                    self.result.end = End.OPEN
                    return
            await self._take(parser.end())
            self.result.end = End.CLOSED
        except Malformed as error:
            self.result.fault = str(error)
        finally:
            self._over.set()

    async def _take(self, responses: list[Response]) -> bool:
        """Record responses; return True if the last one is for the sentinel."""
        for response in responses:
            if (response.echo() or {}).get("target") == SENTINEL_TARGET:
                return True
            self.result.responses.append(response)
        async with self._news:
            self._news.notify_all()
        if responses:
            await self._close_after_server()
        return False


def concerns(case: Case, target: Target) -> bool:
    """Whether a case concerns this server, and its transport."""
    return (not case.only or target.name in case.only) and case.tls in (None, target.context is not None)


async def run_case(case: Case, target: Target, feed: Feed) -> Result:
    """Send a case.

    :raises OSError: if the server cannot be reached.
    """
    wire = await Wire.open(target.address, target.context)
    exchange = Exchange(case, wire, target, feed)
    try:
        await exchange.run()
    finally:
        wire.close()
    return exchange.result


async def run_corpus(cases: Iterable[Case], target: Target, feed: Feed) -> dict[str, Result]:
    """Send the cases that concern the server, many concurrently; return the results by the titles of the
    cases.

    A cancellation, for example by a deadline, gets a note that lists the unfinished cases.
    """
    limit = asyncio.Semaphore(target.parallel)
    results: dict[str, Result] = {}

    async def run(case: Case) -> None:
        async with limit:
            results[case.title] = await run_case(case, target, feed)

    expected = [case for case in cases if concerns(case, target)]
    try:
        async with asyncio.TaskGroup() as tasks:
            for case in expected:
                tasks.create_task(run(case))
    except asyncio.CancelledError as error:
        missing = [case.title for case in expected if case.title not in results]
        error.add_note(f"{len(missing)} of {len(expected)} cases are not finished: {', '.join(missing[:50])}")
        raise
    return results
