"""What the board needs of a database, whichever it is: statements with bound values, one kind of error."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tornado.web import HTTPError

Row = tuple[Any, ...]


class Unavailable(HTTPError):
    """The database does not answer, or not in time. In a handler it makes a 503 and a line in the log."""

    def __init__(self, reason: object) -> None:
        super().__init__(503, "the database is not available: %s", reason)
        self.why = reason

    def __str__(self) -> str:
        return f"the database is not available: {self.why}"


class Done(NamedTuple):
    """What a statement has done."""

    rows: int
    """How many rows it has found to change."""
    new_id: int
    """The id that an INSERT was given."""


class Database(abc.ABC):
    """Connections that are opened once, when the program starts, and are shared by all requests.

    In statements ``?`` stands for a value. Values never become part of a statement's text.
    """

    @abc.abstractmethod
    async def fetch(self, statement: str, *values: object) -> list[Row]:
        """The rows that a SELECT finds.

        :raises Unavailable: if the database cannot be reached, or takes too long.
        """

    @abc.abstractmethod
    async def execute(self, statement: str, *values: object) -> Done:
        """Run an INSERT, UPDATE or DELETE, which counts at once.

        :raises Unavailable: if the database cannot be reached, or takes too long.
        """

    @abc.abstractmethod
    async def make_table(self) -> None:
        """Make the table of the messages, where there is none yet."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Close all connections."""


@asynccontextmanager
async def open_database(url: str, timeout: float) -> AsyncIterator[Database]:
    """The database that `url` names, with its table, for as long as the block runs.

    :param url: ``sqlite:///relative/path``, ``sqlite:////absolute/path``, or
        ``mysql://user:password@host:port/name``, with percent-encoding.
    :param timeout: seconds that a statement may take, waiting for a connection included.
    :raises ValueError: if `url` is none of these, or what it needs is not installed.
    :raises Unavailable: if the database cannot be opened.
    """
    scheme = urlsplit(url).scheme
    # Each needs a package, so that each is imported only when it is asked for.
    try:
        if scheme == "sqlite":
            import sqlite

            opened: Database = await sqlite.connect(url, timeout)
        elif scheme == "mysql":
            import mysql

            opened = await mysql.connect(url, timeout)
        else:
            # The rest of the address may hold a password.
            raise ValueError(f"--database={scheme}…: sqlite:///path or mysql://user:password@host:port/name")
    except ImportError as error:
        raise ValueError(f"{scheme}: needs the package {error.name}: pip install {error.name}") from error
    try:
        await opened.make_table()
        yield opened
    finally:
        await opened.close()
