"""Sends cases to a server and notes what comes back.

No case ends by waiting for something not to happen. Behind the octets of a case follows one more request, the
sentinel: that it is answered proves that the connection goes on, and that the server agrees on where the case
ended; the end of the input proves that it does not. A case in which nothing moves any more is a silent one,
and has failed.
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

    WHOLE = "whole"  #: in one piece, the sentinel with them
    BYTES = "bytes"  #: one by one, each on its own, and the sentinel


@dataclass(frozen=True)
class Target:
    """A running server.

    :ivar name: as in `Case.only`.
    :ivar context: for TLS; None speaks plain HTTP.
    :ivar pause: seconds between two octets that are fed one by one. With 0 the loop runs twice in between,
        which is exact where the server lives in the same loop.
    :ivar deadline: seconds that may pass without an octet in either direction.
    :ivar parallel: connections at a time.
    """

    name: str
    address: tuple[str, int]
    context: ssl.SSLContext | None = None
    pause: float = 0.0
    deadline: float = 20.0
    parallel: int = 100


@dataclass
class Result:
    """What a server did.

    :ivar end: how the connection ended; None if it fell silent.
    :ivar fault: why the responses could not be read, or empty.
    """

    responses: list[Response] = field(default_factory=list)
    end: End | None = None
    fault: str = ""


class Exchange:
    """One case on one connection."""

    def __init__(self, case: Case, wire: Wire, target: Target, feed: Feed) -> None:
        self.result = Result()
        self._case, self._wire, self._target, self._feed = case, wire, target, feed
        self._over = asyncio.Event()
        self._sent = False
        self._news = asyncio.Condition()
        self._timeout = asyncio.timeout(target.deadline)

    async def run(self) -> None:
        """Send everything, and listen until the case is over or nothing moves any more."""
        try:
            async with self._timeout, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                talk = tasks.create_task(self._talk())
                await self._over.wait()
                talk.cancel()
        except TimeoutError:
            self.result.end = None

    def _moved(self) -> None:
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
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Under TLS, close our side once the server has said that it closes, and everything is sent.

        TLS has no half-closed state worth the name: a server that has refused a body may leave the first word
        to the client, lest its answer be lost, and would do without it only after a while.
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
                self._moved()
            await asyncio.sleep(self._target.pause)
            await asyncio.sleep(0)

    async def _listen(self) -> None:
        parser = ResponseParser(self._case.bodiless)
        try:
            while data := await self._wire.receive():
                self._moved()
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
        """Note responses; True if the last one is the sentinel's."""
        for response in responses:
            if (response.echo() or {}).get("target") == SENTINEL_TARGET:
                return True
            self.result.responses.append(response)
        async with self._news:
            self._news.notify_all()
        if responses:
            await self._hang_up()
        return False


def concerns(case: Case, target: Target) -> bool:
    """Whether a case is about this server, and about what it is spoken to over."""
    return (not case.only or target.name in case.only) and case.tls in (None, target.context is not None)


async def run_case(case: Case, target: Target, feed: Feed) -> Result:
    """Send one case.

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
    """Send the cases that concern the server, many at a time; the results by the cases' titles.

    A cancellation, by a deadline for instance, has a note that names the cases under way.
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
