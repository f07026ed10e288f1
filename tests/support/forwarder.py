"""A TCP forwarder in a thread, which passes connections to one of several ports."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType


class Forwarder:
    """Forwards connections to one of `ports`, as a load balancer without sticky sessions.

    :ivar port: the port of the forwarder.
    :ivar accepted: the number of connections that each target has got.
    """

    def __init__(self, ports: list[int]) -> None:
        self.accepted = [0] * len(ports)
        self._ports = ports
        self._current = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> Forwarder:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def use(self, index: int, *, keep: bool = False) -> None:
        """Pass later connections to the target with this index, and close all others unless `keep` is set."""

        async def switch() -> None:
            self._current = index
            if not keep:
                self._close_connections()

        self._call(switch())

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._close_connections()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)

    def _close_connections(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        index = self._current
        self.accepted[index] += 1
        with contextlib.suppress(OSError):
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._ports[index])
            self._writers |= {writer, target_writer}
            if index != self._current:
                self._close_connections()
            await asyncio.gather(_copy(reader, target_writer), _copy(target_reader, writer))
            self._writers -= {writer, target_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
