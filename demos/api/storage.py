"""The SQLite database: one connection, one transaction at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite

Row = tuple[Any, ...]

SCHEMA = """
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        password TEXT NOT NULL,
        created INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS sessions (
        id TEXT PRIMARY KEY,
        user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        ended INTEGER,
        refreshes INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS sessions_expires ON sessions (expires);
    CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user);
    CREATE TABLE IF NOT EXISTS refresh_tokens (
        digest BLOB PRIMARY KEY,
        session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
        used INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS refresh_tokens_session ON refresh_tokens (session);
    CREATE TABLE IF NOT EXISTS bookmarks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        url TEXT NOT NULL,
        title TEXT NOT NULL,
        tags TEXT NOT NULL,
        unread INTEGER NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        version INTEGER NOT NULL DEFAULT 1,
        UNIQUE (owner, url)
    );
"""


class Storage:
    """One connection to the database. In a statement, ``?`` is the placeholder for a value."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Reserve the connection for the block; commit at the end of the block, or roll back if it raises."""
        async with self._lock:
            try:
                # Within the `try`, because the thread executes this statement even if the call is cancelled.
                async with self._connection.execute("BEGIN IMMEDIATE"):
                    pass
                yield self._connection
                await self._connection.commit()
            except BaseException:
                await asyncio.shield(self._connection.rollback())
                raise

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        """Return the rows that a SELECT finds."""
        async with self._lock:
            return [tuple(row) for row in await self._connection.execute_fetchall(statement, values)]

    async def fetch_one(self, statement: str, *values: object) -> Row | None:
        """Return the first row that a SELECT finds, or None."""
        rows = await self.fetch(statement, *values)
        return rows[0] if rows else None

    async def execute(self, statement: str, *values: object) -> list[Row]:
        """Run one INSERT, UPDATE or DELETE in a transaction; return the rows of its RETURNING clause."""
        async with self.transaction() as connection:
            return [tuple(row) for row in await connection.execute_fetchall(statement, values)]


@asynccontextmanager
async def open_storage(path: str) -> AsyncIterator[Storage]:
    """Open the database for the block, and create missing tables.

    :param path: a file, which is created, or ``:memory:``.
    :raises sqlite3.Error: if the file cannot be opened.
    """
    # If the file cannot be opened, the error is raised here, before aiosqlite has started its thread.
    await asyncio.to_thread(lambda: sqlite3.connect(path).close())
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = NORMAL"):
            async with connection.execute(f"PRAGMA {pragma}"):
                pass
        async with connection.executescript(SCHEMA):
            pass
        yield Storage(connection)
    finally:
        await connection.close()
