"""The interface of session stores.

A store receives JSON texts by name instead of Python values, so it needs no serialization format, in
particular none that can execute code (pickle).

A token has 256 random bits. A session is stored under the SHA-256 hash of its token (`SessionStore.key`).
Thus the sessions cannot be hijacked if the content of the store is leaked, and the time of a look-up reveals
nothing about other tokens.
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import inspect
import re
import secrets
from collections.abc import Awaitable, Collection, Mapping
from typing import Any, Self

from tornado.web._errors import HTTPError

_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
#: The maximum number of values in a session.
MAX_VALUES = 1000


class SessionStoreError(HTTPError):
    """The session store is not available. The response is 503.

    :param str log_message: the log message: what failed and what to do about it; formatted with ``% args``.
    """

    __module__ = "tornado.web"  # the module that exports this class

    def __init__(self, log_message: str, *args: object) -> None:
        super().__init__(503, log_message, *args)


class SessionTooLargeError(ValueError):
    """A session exceeds the number of values or the size that its store accepts; see the message."""

    __module__ = "tornado.web"  # the module that exports this class


@dataclasses.dataclass(frozen=True, slots=True)
class SessionRecord:
    """The stored data of a session.

    :ivar values: the JSON texts of the values, by name.
    :ivar created: the time when the session was created, in seconds since the epoch.
    :ivar used: the time when the session was last saved, in seconds since the epoch.
    """

    __module__ = "tornado.web"  # the module that exports this class

    values: Mapping[str, str]
    created: float
    used: float


class SessionStore(abc.ABC):
    """The base class of session stores. Subclasses define four methods, each plain or ``async``.

    If any of them is ``async``, sessions are loaded before `RequestHandler.prepare` and saved before the
    response is sent. A store that is not available must raise `SessionStoreError` within a bounded time.

    :ivar max_size: the maximum size of a session in bytes: the sum of its names and JSON texts.
    """

    __module__ = "tornado.web"  # the module that exports this class

    max_size = 65536

    @property
    def is_asynchronous(self) -> bool:
        """Whether any of the four methods is a coroutine function."""
        methods = (self.load, self.create, self.update, self.delete)
        return any(inspect.iscoroutinefunction(method) for method in methods)

    def bind(self, settings: Mapping[str, Any]) -> Self:
        """Return the store to use for an application with these settings; by default this one."""
        return self

    # -- the interface --

    @abc.abstractmethod
    def load(self, token: str) -> SessionRecord | Awaitable[SessionRecord | None] | None:
        """Return the session of a token, or None if it does not exist.

        :param token: the value of the cookie as the client sent it; validate it with `key`.
        """

    @abc.abstractmethod
    def create(self, record: SessionRecord, seconds: float) -> str | Awaitable[str]:
        """Store a new session and return its token (see `new_token`).

        :param seconds: the time in seconds after which the session may be deleted.
        :raises SessionTooLargeError: see `check_size`.
        """

    @abc.abstractmethod
    def update(
        self,
        token: str,
        record: SessionRecord,
        changed: Collection[str],
        removed: Collection[str],
        seconds: float,
    ) -> str | Awaitable[str | None] | None:
        """Save the changes of a session that was loaded, and return its token.

        Several requests of a session may run concurrently. If possible, a store should save only the changed
        values, so that changes made by other requests are kept.

        :param record: the whole session, with the changes of this request.
        :param changed: the names of new or changed values.
        :param removed: the names of removed values. If both collections are empty, only the time of the last
            use has changed.
        :param seconds: the time in seconds after which the session may be deleted.
        :returns: the token, or None if the session has ended since it was loaded. In this case the session
            must not be stored again, because another request may have logged the user out.
        :raises SessionTooLargeError: see `check_size`.
        """

    @abc.abstractmethod
    def delete(self, token: str) -> Awaitable[None] | None:
        """Delete a session, if it exists."""

    async def close(self) -> None:  # noqa: B027 - most stores have nothing to close
        """Close the connections of the store when the program ends."""

    # -- shared by the stores on the server --

    @staticmethod
    def new_token() -> str:
        """Return a random token of 256 bits."""
        return secrets.token_urlsafe(_TOKEN_BYTES)

    @staticmethod
    def key(token: str) -> str | None:
        """Return the key under which a session is stored, or None if the text is not a token."""
        if _TOKEN.fullmatch(token) is None:
            return None
        return hashlib.sha256(token.encode()).hexdigest()

    def check_size(self, record: SessionRecord) -> None:
        """Check that a session is within the limits.

        :raises SessionTooLargeError: if it has more than `max_size` bytes or more than 1,000 values.
        """
        values = record.values
        if len(values) > MAX_VALUES:
            raise SessionTooLargeError(
                f"the session has {len(values)} values, at most {MAX_VALUES} are allowed"
            )
        size = sum(len(name) + len(text) for name, text in values.items())
        if size > self.max_size:
            raise SessionTooLargeError(
                f"the session has {size} bytes, {type(self).__name__} accepts at most {self.max_size}: store "
                "less in the session, or increase max_size of the store"
            )
