"""The board's messages in MariaDB or MySQL, through aiomysql."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomysql
from database import Database, Done, Row, Unavailable
from pymysql.constants import CLIENT

CONNECTIONS = 10

# MySQL's "utf8" cannot store emoji; utf8mb4 can.
TABLE = """
    CREATE TABLE IF NOT EXISTS board_messages (
        id BIGINT PRIMARY KEY AUTO_INCREMENT,
        author CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        name VARCHAR(80) NOT NULL,
        email VARCHAR(254) NOT NULL,
        address VARCHAR(200) NOT NULL,
        message VARCHAR(4000) NOT NULL,
        written BIGINT NOT NULL,
        edited BIGINT
    ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
"""


class MySQL(Database):
    """A connection pool, which replaces connections that a restarted server has dropped."""

    def __init__(self, pool: Any, timeout: float) -> None:
        self.pool = pool
        self.timeout = timeout

    @asynccontextmanager
    async def cursor(self) -> AsyncIterator[Any]:
        """Provide a cursor on a connection of the pool for the block."""
        try:
            async with (
                asyncio.timeout(self.timeout),
                self.pool.acquire() as connection,
                connection.cursor() as cursor,
            ):
                yield cursor
        except TimeoutError as error:
            raise Unavailable(f"no response within {self.timeout:g} s") from error
        except (aiomysql.OperationalError, aiomysql.InterfaceError, OSError) as error:
            raise Unavailable(error) from error

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        async with self.cursor() as cursor:
            await cursor.execute(statement.replace("?", "%s"), values)
            return list(await cursor.fetchall())

    async def execute(self, statement: str, *values: object) -> Done:
        async with self.cursor() as cursor:
            await cursor.execute(statement.replace("?", "%s"), values)
            return Done(cursor.rowcount, cursor.lastrowid or 0)

    async def make_table(self) -> None:
        # CREATE TABLE IF NOT EXISTS makes aiomysql emit a warning if the table exists, so check first.
        if not await self.fetch("SHOW TABLES LIKE ?", "board_messages"):
            await self.execute(TABLE)

    async def close(self) -> None:
        # clear() sends COM_QUIT; the server logs an error for each connection that ends without COM_QUIT.
        await self.pool.clear()
        self.pool.close()
        await self.pool.wait_closed()


async def connect(url: str, timeout: float) -> MySQL:
    """Open a connection pool for the database in `url`."""
    parts = urlsplit(url)
    name = unquote(parts.path[1:])
    try:
        port = parts.port or 3306
    except ValueError as error:
        raise ValueError(f"--database: {error}") from None
    if not parts.hostname or not name or "/" in parts.path[1:] or parts.query:
        raise ValueError("--database: expected mysql://user:password@host:port/name")
    try:
        pool = await aiomysql.create_pool(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            db=name,
            maxsize=CONNECTIONS,
            connect_timeout=timeout,
            charset="utf8mb4",
            autocommit=True,
            # A value that is too long causes an error instead of being truncated.
            sql_mode="'STRICT_ALL_TABLES'",
            # An UPDATE returns the number of rows that it matched instead of the number of rows that it
            # changed.
            client_flag=CLIENT.FOUND_ROWS,
        )
    except (aiomysql.Error, OSError) as error:
        raise Unavailable(f"{parts.hostname}:{port}: {error}") from error
    return MySQL(pool, timeout)
