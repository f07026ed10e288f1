"""The board's messages in an SQLite file, through aiosqlite, which runs each connection in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiosqlite
from database import Database, Done, Row, Unavailable

CONNECTIONS = 4

# AUTOINCREMENT: the number of a deleted message is not used again.
TABLE = """
    CREATE TABLE IF NOT EXISTS board_messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        author TEXT NOT NULL,
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        address TEXT NOT NULL,
        message TEXT NOT NULL,
        written INTEGER NOT NULL,
        edited INTEGER
    )
"""


class SQLite(Database):
    """A few connections to one file. Reads run in parallel, writes one after the other."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self.connections: list[aiosqlite.Connection] = []

    async def add(self, path: str) -> None:
        """Open one more connection."""
        # Without an isolation level, every statement is its own transaction. SQLite waits up to `timeout`
        # seconds for another writer to finish.
        connection = await aiosqlite.connect(path, timeout=self.timeout, isolation_level=None)
        self.connections.append(connection)
        # In this mode, readers do not wait for writers. The mode is stored in the file.
        async with connection.execute("PRAGMA journal_mode = WAL"):
            pass
        self.idle.put_nowait(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[aiosqlite.Connection]:
        """Reserve an idle connection for the block."""
        try:
            async with asyncio.timeout(self.timeout):
                connection = await self.idle.get()
        except TimeoutError as error:
            raise Unavailable(f"all {len(self.connections)} connections are busy") from error
        try:
            yield connection
        except sqlite3.OperationalError as error:
            raise Unavailable(error) from error
        finally:
            self.idle.put_nowait(connection)

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        async with self.connection() as connection:
            return [tuple(row) for row in await connection.execute_fetchall(statement, values)]

    async def execute(self, statement: str, *values: object) -> Done:
        async with self.connection() as connection, connection.execute(statement, values) as cursor:
            return Done(cursor.rowcount, cursor.lastrowid or 0)

    async def make_table(self) -> None:
        await self.execute(TABLE)

    async def close(self) -> None:
        for connection in self.connections:
            await connection.close()


async def connect(url: str, timeout: float) -> SQLite:
    """Open the file of `url`, and create it if it does not exist."""
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if parts.netloc or not path:
        raise ValueError(f"--database={url}: expected sqlite:///relative/path or sqlite:////absolute/path")
    database = SQLite(timeout)
    try:
        # Check first that the file can be opened: a failure in aiosqlite leaves a thread that outlives the
        # event loop.
        await asyncio.to_thread(lambda: sqlite3.connect(path).close())
        # Each connection to ":memory:" would open a separate database.
        for _ in range(1 if path == ":memory:" else CONNECTIONS):
            await database.add(path)
    except sqlite3.Error as error:
        await database.close()
        raise Unavailable(f"{path}: {error}") from error
    return database
