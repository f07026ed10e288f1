"""The interface of session stores.

A store never sees Python values, only JSON texts by name: it needs no other serialisation format, least of
all one that can run code (pickle).

A token is 256 random bits. A store keeps a session under the token's SHA-256 hash (`SessionStore.key`), so
the sessions in a store that was leaked cannot be taken over, and the time that a look-up takes tells nothing
about other tokens.
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
#: Values that one session may have.
MAX_VALUES = 1000


class SessionStoreError(HTTPError):
    """The store of sessions cannot be used now; the request is answered with 503.

    :param str log_message: what failed and what can be done, for the log; formatted with ``% args``.
    """

    __module__ = "tornado.web"  # its public address

    def __init__(self, log_message: str, *args: object) -> None:
        super().__init__(503, log_message, *args)


class SessionTooLargeError(ValueError):
    """A session has more values than its store accepts, or longer ones. The message names the limit."""

    __module__ = "tornado.web"  # its public address


@dataclasses.dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a store keeps of one session.

    :ivar values: JSON texts by name.
    :ivar created: when the session began, in seconds since the epoch.
    :ivar used: when it was last saved, likewise.
    """

    __module__ = "tornado.web"  # its public address

    values: Mapping[str, str]
    created: float
    used: float


class SessionStore(abc.ABC):
    """Where sessions are kept. Subclasses define four methods, each plain or ``async``.

    Where one of them is ``async``, sessions are loaded before `RequestHandler.prepare` and saved before the
    response is sent. A store that cannot answer raises `SessionStoreError`, within a bounded time.

    :ivar max_size: the most bytes that the texts and names of one session may have.
    """

    __module__ = "tornado.web"  # its public address

    max_size = 65536

    @property
    def is_asynchronous(self) -> bool:
        """Whether one of the four methods is a coroutine function."""
        methods = (self.load, self.create, self.update, self.delete)
        return any(inspect.iscoroutinefunction(method) for method in methods)

    def bind(self, settings: Mapping[str, Any]) -> Self:
        """Return the store to use for an application with these settings; by default this one."""
        return self

    # -- what a store does --

    @abc.abstractmethod
    def load(self, token: str) -> SessionRecord | Awaitable[SessionRecord | None] | None:
        """Return the session of a token, or None if it does not exist.

        :param token: the cookie's value, as a client sent it: check it by `key`.
        """

    @abc.abstractmethod
    def create(self, record: SessionRecord, seconds: float) -> str | Awaitable[str]:
        """Keep a new session, and return its token (see `new_token`).

        :param seconds: after which it may be dropped.
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
        """Save changes of a session that was loaded, and return its token.

        Requests of one session may run at the same time. A store that can saves the changes only, so that
        each request keeps those values of others that it has not changed itself.

        :param record: the whole session as the request has it.
        :param changed: names of values that are new or differ.
        :param removed: names of values to drop. If both are empty, only the time of use is new.
        :param seconds: after which the session may be dropped.
        :returns: None if the session has ended since it was loaded. It must not be kept again then: another
            request may have logged the user out.
        :raises SessionTooLargeError: see `check_size`.
        """

    @abc.abstractmethod
    def delete(self, token: str) -> Awaitable[None] | None:
        """End a session. A token without one is not an error."""

    async def close(self) -> None:  # noqa: B027 - most stores have nothing to close
        """Close connections of the store, when the program ends."""

    # -- what stores on the server have in common --

    @staticmethod
    def new_token() -> str:
        """Return a random token of 256 bits."""
        return secrets.token_urlsafe(_TOKEN_BYTES)

    @staticmethod
    def key(token: str) -> str | None:
        """Return the name under which a session is kept, or None for a text that is not a token."""
        if _TOKEN.fullmatch(token) is None:
            return None
        return hashlib.sha256(token.encode()).hexdigest()

    def check_size(self, record: SessionRecord) -> None:
        """See that a session is within the limits.

        :raises SessionTooLargeError: if it has more than `max_size` bytes or 1,000 values.
        """
        values = record.values
        if len(values) > MAX_VALUES:
            raise SessionTooLargeError(
                f"the session has {len(values)} values, at most {MAX_VALUES} are allowed"
            )
        size = sum(len(name) + len(text) for name, text in values.items())
        if size > self.max_size:
            raise SessionTooLargeError(
                f"the session has {size} bytes, {type(self).__name__} accepts {self.max_size}: keep less in "
                "the session, or set max_size of the store"
            )
