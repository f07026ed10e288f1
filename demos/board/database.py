"""The interface of the board's databases: statements with bound values, one exception for all failures."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

from tornado.web import HTTPError

Row = tuple[Any, ...]


class Unavailable(HTTPError):
    """Raised if the database cannot be used. In a handler it causes a 503 response and a log line."""

    def __init__(self, reason: object) -> None:
        super().__init__(503, "the database is not available: %s", reason)
        self.reason_text = reason

    def __str__(self) -> str:
        return f"the database is not available: {self.reason_text}"


class Done(NamedTuple):
    """The result of a statement that changes rows."""

    rows: int
    """The number of rows that the statement matched."""
    new_id: int
    """The id of the row that an INSERT added."""


class Database(abc.ABC):
    """Connections that are opened once, when the program starts, and shared by all requests.

    In a statement, ``?`` is the placeholder for a value. Values never become part of the statement's text.
    """

    @abc.abstractmethod
    async def fetch(self, statement: str, *values: object) -> list[Row]:
        """Return the rows of a SELECT.

        :raises Unavailable: if the database cannot be reached or takes too long.
        """

    @abc.abstractmethod
    async def execute(self, statement: str, *values: object) -> Done:
        """Run an INSERT, UPDATE or DELETE, and commit it.

        :raises Unavailable: if the database cannot be reached or takes too long.
        """

    @abc.abstractmethod
    async def make_table(self) -> None:
        """Create the table of the messages, unless it exists."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Close all connections."""
