"""Users and their sessions.

A login opens a session. The session's refresh token is a random value that can be used once: each refresh
replaces it. If a token is received a second time, it was stolen, and either use may be the thief's. The whole
session is therefore ended (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Callable

from storage import Storage

USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,31}")
#: The minimum and maximum number of characters of a password.
MIN_PASSWORD, MAX_PASSWORD = 8, 256
#: Seconds after which a session ends and the user must log in again: 30 days.
SESSION_LIFETIME = 30 * 86400
#: The maximum number of refreshes in a session. Each used token is stored, so that a second use is detected.
MAX_REFRESHES = 10_000
#: Seconds for which an ended session is kept in memory after its last access token has expired. This must be
#: more than the leeway for clock differences.
MARGIN = 60
#: The maximum number of open sessions per user. A further login ends the oldest session.
MAX_SESSIONS = 20


class NameTaken(Exception):
    """The user name is taken."""


class RefreshRefused(Exception):
    """The refresh token is unknown, has already been used, or belongs to a session that has ended."""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A stored user."""

    id: int
    name: str
    password: str = dataclasses.field(repr=False)
    created: int


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """The result of a login or a refresh.

    :ivar refresh_token: the token for the next refresh. The server stores only a digest of the token.
    """

    user_id: int
    session_id: str
    refresh_token: str = dataclasses.field(repr=False)


class Accounts:
    """The users in the database."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    async def add(self, name: str, password_hash: str) -> User:
        """Create a user.

        :raises NameTaken: if a user with this name exists.
        """
        try:
            ((number, created),) = await self._storage.execute(
                "INSERT INTO users (name, password, created) VALUES (?, ?, ?) RETURNING id, created",
                name,
                password_hash,
                int(self._clock()),
            )
        except sqlite3.IntegrityError as error:
            raise NameTaken(name) from error
        return User(number, name, password_hash, created)

    async def find(self, name: str) -> User | None:
        """Return the user with this name, or None."""
        row = await self._storage.fetch_one(
            "SELECT id, name, password, created FROM users WHERE name = ?", name
        )
        return User(*row) if row else None

    async def get(self, number: int) -> User | None:
        """Return the user with this id, or None."""
        row = await self._storage.fetch_one(
            "SELECT id, name, password, created FROM users WHERE id = ?", number
        )
        return User(*row) if row else None

    async def set_password(self, number: int, password_hash: str) -> None:
        """Replace the stored password hash of a user."""
        await self._storage.execute("UPDATE users SET password = ? WHERE id = ?", password_hash, number)


class Sessions:
    """The sessions in the database.

    Access tokens are checked without the database, so the sessions that ended within the lifetime of an
    access token are also kept in memory. The rate limit for logins bounds the number of these sessions.

    :param access_lifetime: the seconds for which an access token is valid.
    """

    def __init__(
        self, storage: Storage, access_lifetime: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._storage = storage
        self._access_lifetime = access_lifetime
        self._clock = clock
        # The time at which each session ended, by its id, in order of these times.
        self._ended: dict[str, float] = {}

    async def load(self) -> None:
        """Load the sessions that ended shortly before the program started."""
        since = self._clock() - self._access_lifetime - MARGIN
        for session_id, ended in await self._storage.fetch(
            "SELECT id, ended FROM sessions WHERE ended > ? ORDER BY ended", since
        ):
            self._ended[session_id] = ended

    async def open(self, user_id: int) -> Grant:
        """Open a session for a user after a login."""
        now = int(self._clock())
        grant = Grant(user_id, secrets.token_urlsafe(16), secrets.token_urlsafe(32))
        async with self._storage.transaction() as connection:
            await connection.execute_fetchall("DELETE FROM sessions WHERE expires < ?", (now,))
            surplus = await connection.execute_fetchall(
                "UPDATE sessions SET ended = ? WHERE id IN (SELECT id FROM sessions WHERE user = ?"
                " AND ended IS NULL ORDER BY created DESC LIMIT -1 OFFSET ?) RETURNING id",
                (now, user_id, MAX_SESSIONS - 1),
            )
            await connection.execute_fetchall(
                "INSERT INTO sessions (id, user, created, expires) VALUES (?, ?, ?, ?)",
                (grant.session_id, user_id, now, now + SESSION_LIFETIME),
            )
            await connection.execute_fetchall(
                "INSERT INTO refresh_tokens (digest, session) VALUES (?, ?)",
                (_digest(grant.refresh_token), grant.session_id),
            )
        self._remember(*(row[0] for row in surplus))
        return grant

    async def refresh(self, token: str) -> Grant:
        """Exchange a refresh token for a new one.

        :raises RefreshRefused: if the token is not valid. If it has already been used, its session is ended.
        """
        now = int(self._clock())
        digest = _digest(token)
        async with self._storage.transaction() as connection:
            # The token is looked up by its digest, so the duration of the lookup reveals nothing useful.
            found = await connection.execute_fetchall(
                "SELECT user, session, used, expires, ended, refreshes"
                " FROM refresh_tokens JOIN sessions ON session = id WHERE digest = ?",
                (digest,),
            )
            for user_id, session_id, used, expires, ended, refreshes in found:
                if ended is not None or expires <= now:
                    continue
                if used or refreshes >= MAX_REFRESHES:
                    await connection.execute_fetchall(
                        "UPDATE sessions SET ended = ? WHERE id = ?", (now, session_id)
                    )
                    self._remember(session_id)
                    continue
                grant = Grant(user_id, session_id, secrets.token_urlsafe(32))
                for statement, values in (
                    ("UPDATE refresh_tokens SET used = 1 WHERE digest = ?", (digest,)),
                    ("UPDATE sessions SET refreshes = refreshes + 1 WHERE id = ?", (session_id,)),
                    (
                        "INSERT INTO refresh_tokens (digest, session) VALUES (?, ?)",
                        (_digest(grant.refresh_token), session_id),
                    ),
                ):
                    await connection.execute_fetchall(statement, values)
                return grant
        raise RefreshRefused

    async def end(self, session_id: str) -> None:
        """End a session: its refresh token and its access tokens are refused from now on."""
        self._remember(session_id)
        await self._storage.execute(
            "UPDATE sessions SET ended = ? WHERE id = ? AND ended IS NULL", int(self._clock()), session_id
        )

    async def end_all(self, user_id: int) -> None:
        """End all sessions of a user, for example after a change of the password."""
        ended = await self._storage.execute(
            "UPDATE sessions SET ended = ? WHERE user = ? AND ended IS NULL RETURNING id",
            int(self._clock()),
            user_id,
        )
        self._remember(*(row[0] for row in ended))

    def is_ended(self, session_id: str) -> bool:
        """Whether a session has ended while one of its access tokens may still be valid."""
        return session_id in self._ended

    def _remember(self, *session_ids: str) -> None:
        now = self._clock()
        oldest = now - self._access_lifetime - MARGIN
        while self._ended and next(iter(self._ended.values())) < oldest:
            del self._ended[next(iter(self._ended))]
        for session_id in session_ids:
            self._ended.setdefault(session_id, now)


def _digest(token: str) -> bytes:
    # A random value of 256 bits needs no salt and no slow hash.
    return hashlib.sha256(token.encode()).digest()
