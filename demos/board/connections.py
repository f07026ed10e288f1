"""Opens the database that the command line names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from database import Database


@asynccontextmanager
async def open_database(url: str, timeout: float) -> AsyncIterator[Database]:
    """Open the database that `url` names, create its table, and close the database when the block ends.

    :param url: ``sqlite:///relative/path``, ``sqlite:////absolute/path``, or
        ``mysql://user:password@host:port/name``, with percent-encoding.
    :param timeout: seconds that a statement may take, including the wait for a connection.
    :raises ValueError: if `url` has another form, or the package for this database is not installed.
    :raises Unavailable: if the database cannot be opened.
    """
    scheme = urlsplit(url).scheme
    # Each database needs its own package, so it is imported only when it is used.
    try:
        if scheme == "sqlite":
            import sqlite

            opened: Database = await sqlite.connect(url, timeout)
        elif scheme == "mysql":
            import mysql

            opened = await mysql.connect(url, timeout)
        else:
            # The message shows only the scheme: the rest of the URL may contain a password.
            raise ValueError(
                f"--database={scheme}…: expected sqlite:///path or mysql://user:password@host:port/name"
            )
    except ImportError as error:
        raise ValueError(f"--database={scheme}…: the package {error.name} is not installed") from error
    try:
        await opened.make_table()
        yield opened
    finally:
        await opened.close()
