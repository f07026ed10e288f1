"""The connection of the administration to the supervisor; `tornado._serve.admin_process` is the other end."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable
from typing import Any

from tornado._serve.worker_protocol import Channel, Message
from tornado.web import HTTPError

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["SupervisorLink", "SupervisorTimeout"]

#: The maximum time for an answer of the supervisor, in seconds.
TIMEOUT = 2.0


class SupervisorTimeout(HTTPError):
    """The supervisor does not answer: it has been stopped, or the machine is overloaded."""

    def __init__(self) -> None:
        text = f"the supervisor has not answered within {TIMEOUT:g} s"
        super().__init__(503, text, public_message=text)


class _Question:
    """A query that was passed on to the workers.

    :ivar answers: the answers by process ID.
    :ivar complete: is set when all workers have answered.
    """

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.complete = asyncio.Event()
        self._asked: set[int] | None = None

    def set_asked(self, pids: list[int]) -> None:
        self._asked = set(pids)
        self._check()

    def add(self, pid: int, data: Any) -> None:
        self.answers[pid] = data
        self._check()

    def _check(self) -> None:
        if self._asked is not None and self._asked <= self.answers.keys():
            self.complete.set()


class SupervisorLink:
    """Sends requests to the supervisor and waits for the answers.

    :param on_final: called with the process ID, the last snapshot, and the recent errors and log records of a
        worker that has drained.
    :param on_end: called when the supervisor has ended.
    """

    def __init__(
        self, channel: Channel, on_final: Callable[[int, Any, Any], object], on_end: Callable[[], object]
    ) -> None:
        self._channel = channel
        self._on_final = on_final
        self._on_end = on_end
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._questions: dict[str, _Question] = {}
        self._exit_status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(channel.fileno(), self._on_readable)

    def close(self) -> None:
        """Close the channel."""
        self._loop.remove_reader(self._channel.fileno())
        self._loop.remove_writer(self._channel.fileno())
        self._channel.close()

    async def status(self) -> dict[str, Any]:
        """Return the status of the service.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        found: dict[str, Any] = await self._request(self._new_id(), "status")
        return found

    async def act(self, action: str, **arguments: Any) -> str | None:
        """Request an action. Return the reason if it is impossible now.

        :param action: ``reload``, ``drain``, ``scale`` with ``workers``, or ``restart`` with ``worker``.
        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        answer = await self._request(self._new_id(), "act", action=action, arguments=arguments)
        error: str | None = answer["error"]
        return error

    async def ask(self, what: str, timeout: float = 0.8, **arguments: Any) -> dict[int, Any]:
        """Pass a query on to all workers, and return the answers by process ID.

        :param what: the name of the query.
        :param timeout: the maximum time for the answers of the workers, in seconds. Later ones are discarded.
        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        identifier = self._new_id()
        question = self._questions[identifier] = _Question()
        try:
            question.set_asked(await self._request(identifier, "ask", what=what, arguments=arguments))
            async with asyncio.timeout(timeout):
                await question.complete.wait()
        except TimeoutError:
            pass  # a worker is stopped or overloaded; the others have answered
        finally:
            del self._questions[identifier]
        return question.answers

    async def service_end(self) -> int:
        """Wait until the last worker has ended, and return the exit status of the service."""
        return await asyncio.shield(self._exit_status)

    def keep(self, data: Any) -> None:
        """Let the supervisor keep data for the process that replaces this one."""
        self._send("keep", data=data)

    def _new_id(self) -> str:
        # With the process ID, because answers to an earlier process could still arrive.
        return f"{os.getpid()}.{next(self._numbers)}"

    async def _request(self, identifier: str, kind: str, **values: Any) -> Any:
        future = self._waiting[identifier] = self._loop.create_future()
        self._send(kind, id=identifier, **values)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await future
        except TimeoutError:
            raise SupervisorTimeout from None
        finally:
            del self._waiting[identifier]

    def _send(self, kind: str, **values: Any) -> None:
        self._channel.send(kind, **values)
        self._flush()

    def _flush(self) -> None:
        self._channel.flush()
        if self._channel.has_output:
            self._loop.add_writer(self._channel.fileno(), self._flush)
        else:
            self._loop.remove_writer(self._channel.fileno())

    def _on_readable(self) -> None:
        for message in self._channel.receive():
            self._handle(message)
        if not self._channel.is_open:
            self._loop.remove_reader(self._channel.fileno())
            self._on_end()

    def _handle(self, message: Message) -> None:
        if message["type"] == "final":
            self._on_final(message["pid"], message.get("snapshot"), message.get("recent"))
            return
        if message["type"] == "ended":
            if not self._exit_status.done():
                self._exit_status.set_result(message["status"])
            return
        identifier = message["id"]
        if "pid" in message:
            question = self._questions.get(identifier)
            if question is not None:
                question.add(message["pid"], message.get("data"))
            return
        future = self._waiting.get(identifier)
        if future is not None and not future.done():
            future.set_result(message.get("data"))
