"""The lifespan of an ASGI application: its startup before the first request, and its shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator
from typing import Any

from tornado.asgi._wakeup import Wakeup
from tornado.log import app_log, gen_log

#: How long an application may run after the last message of its lifespan, in seconds. It is then cancelled.
END_TIMEOUT = 10.0


class LifespanMode(enum.Enum):
    """Whether an application supports the lifespan protocol."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Lifespan:
    """The lifespan of one application.

    :param application: the ASGI application.
    :param state: the dictionary that the application fills, of which each request receives a copy.
    :param mode: the value of a `LifespanMode`.
    :raises ValueError: if `mode` is unknown.
    """

    def __init__(self, application: Any, state: dict[str, Any], mode: str) -> None:
        known = [each.value for each in LifespanMode]
        if mode not in known:
            raise ValueError(f"lifespan must be one of {', '.join(known)}, got {mode!r:.100}")
        self._application = application
        self._state = state
        self._mode = LifespanMode(mode)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Run the startup, the block, and the shutdown; see `.ASGIContainer.run_lifespan`."""
        if self._mode is LifespanMode.OFF:
            yield
            return
        session = _Session(self._application, self._state)
        supported = await session.start(required=self._mode is LifespanMode.ON)
        try:
            yield
        finally:
            if supported:
                await session.stop()


class _Session:
    """One call of the application with the scope ``lifespan``, in a task of its own."""

    def __init__(self, application: Any, state: dict[str, Any]) -> None:
        self._application = application
        self._state = state
        self._events: list[dict[str, Any]] = [{"type": "lifespan.startup"}]
        self._wakeup = Wakeup()
        #: The replies to the two events, as ``(whether it failed, message)``.
        self._replies: dict[str, asyncio.Future[tuple[bool, str]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self, required: bool) -> bool:
        """Run the startup.

        :param required: whether an exception means that the startup has failed; otherwise the application
            does not support the protocol.
        :returns: whether the application supports the protocol.
        :raises RuntimeError: if the startup has failed.
        """
        loop = asyncio.get_running_loop()
        self._replies = {"startup": loop.create_future(), "shutdown": loop.create_future()}
        self._task = loop.create_task(self._run())
        reply = await self._reply_to("startup")
        if reply is not None:
            failed, message = reply
            if failed:
                await self._end()
                raise RuntimeError(
                    f"the startup of the ASGI application has failed: {message or 'no reason given'}"
                )
            return True
        error = self._retrieve()
        if required:
            raise RuntimeError("the ASGI application does not support lifespan, which is 'on'") from error
        gen_log.debug("The ASGI application does not support the lifespan protocol", exc_info=error)
        return False

    async def stop(self) -> None:
        """Run the shutdown.

        :raises RuntimeError: if it has failed.
        """
        assert self._task is not None
        self._events.append({"type": "lifespan.shutdown"})
        self._wakeup.wake()
        reply = await self._reply_to("shutdown")
        error = self._retrieve() if reply is None else await self._end()
        if reply is not None and reply[0]:
            raise RuntimeError(
                f"the shutdown of the ASGI application has failed: {reply[1] or 'no reason given'}"
            )
        if error is not None:
            app_log.error("Uncaught exception in the lifespan of the ASGI application", exc_info=error)

    async def _end(self) -> BaseException | None:
        """Wait until the application returns after its last message, and return its exception."""
        assert self._task is not None
        try:
            _, running = await asyncio.wait([self._task], timeout=END_TIMEOUT)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not running:
            return self._retrieve()
        app_log.error(
            "The lifespan of the ASGI application has not returned %g seconds after its last message",
            END_TIMEOUT,
        )
        self._task.cancel()
        return None

    def _retrieve(self) -> BaseException | None:
        """Return the exception of the task, which is done."""
        assert self._task is not None
        return asyncio.CancelledError() if self._task.cancelled() else self._task.exception()

    async def _reply_to(self, event: str) -> tuple[bool, str] | None:
        """Wait for the reply to an event; return None if the application ends without one."""
        assert self._task is not None
        reply = self._replies[event]
        waiting: list[asyncio.Future[Any]] = [self._task, reply]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        return reply.result() if reply.done() else None

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        await self._application(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        while not self._events:
            await self._wakeup.wait(asyncio.get_running_loop())
        return self._events.pop(0)

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        _, _, rest = kind.partition("lifespan.")
        event, _, result = rest.partition(".")
        if event not in self._replies or result not in ("complete", "failed"):
            raise ValueError(
                f"unknown ASGI message type {kind!r:.100} in the lifespan; expected "
                "lifespan.startup.complete, lifespan.startup.failed, or the same for shutdown"
            )
        reply = self._replies[event]
        if reply.done():
            raise RuntimeError(
                f"unexpected ASGI message {kind!r}: the reply to lifespan.{event} was sent before"
            )
        reply.set_result((result == "failed", str(message.get("message", ""))))


__all__ = ["Lifespan", "LifespanMode"]
