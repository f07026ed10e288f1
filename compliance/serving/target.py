"""The address of a measured server: TCP, TLS or a Unix socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass(frozen=True)
class Target:
    """An address.

    :ivar port: the TCP port on 127.0.0.1, without `path`.
    :ivar path: the path of a Unix socket.
    :ivar context: the client's TLS context.
    """

    port: int = 0
    path: str | None = None
    context: ssl.SSLContext | None = None

    async def connect(self, factory: Callable[[], P]) -> P:
        """Open a connection with a protocol of `factory`."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            return (await loop.create_unix_connection(factory, self.path))[1]
        name = "localhost" if self.context is not None else None
        made = await loop.create_connection(
            factory, "127.0.0.1", self.port, ssl=self.context, server_hostname=name
        )
        return made[1]

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection with streams."""
        if self.path is not None:
            return await asyncio.open_unix_connection(self.path)
        name = "localhost" if self.context is not None else None
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context, server_hostname=name)
