"""`Session`: the values kept for a browser, as a mapping.

Changes are detected by comparing the JSON text of each value with the text that was loaded, so changes within
a list or a dictionary are detected as well. Only values that differ are saved (see `.SessionStore.update`).
"""

from __future__ import annotations

import enum
import inspect
import json
import math
from collections.abc import Coroutine, Iterator, MutableMapping
from time import time
from typing import TYPE_CHECKING, Any

from tornado.log import gen_log
from tornado.web._sessions.store import SessionRecord

if TYPE_CHECKING:
    from tornado.web._sessions.settings import SessionSettings

#: The time of the last use is saved only if this fraction of the idle timeout has passed since it was last
#: saved. Thus the timeout is accurate to a tenth, and most requests save nothing.
_RENEWAL_FRACTION = 0.1


class SessionState(enum.Enum):
    """The state of a session, which determines whether it can be changed and saved."""

    OPEN = "open"
    #: The response is finished and will be sent when the session has been saved. The session is read-only.
    CLOSING = "closing"
    #: Another request has ended the session. Changes are not saved.
    ENDED = "ended"
    #: Saving has failed and is not retried for the error page.
    FAILED = "failed"
    #: The head of the response was sent. The session is read-only.
    SENT = "sent"


class CookieChange:
    """A change of the session cookie to be sent with the response.

    :ivar token: the new value, or None to clear the cookie.
    :ivar seconds: the lifetime of the cookie in seconds.
    """

    __slots__ = ("seconds", "token")

    def __init__(self, token: str | None, seconds: int) -> None:
        self.token: str | None = token
        self.seconds: int = seconds


class Session(MutableMapping[str, Any]):
    """The values kept for one browser: `RequestHandler.session`.

    Names must be strings, and values must be representable as JSON. The session is saved when the response is
    sent, unless the status is 500 or above; afterwards it is read-only. A session without values is not
    stored. ::

        class LoginHandler(RequestHandler):
            def post(self):
                user = self.check_password()
                self.session.regenerate()
                self.session["user"] = user.id
                self.redirect("/")
    """

    __module__ = "tornado.web"  # the module that exports this class

    __slots__ = (
        "_created",
        "_old_tokens",
        "_policy",
        "_previous_texts",
        "_state",
        "_texts",
        "_token",
        "_used",
        "_values",
        "cookie_change",
    )

    def __init__(self, policy: SessionSettings, token: str | None, record: SessionRecord | None) -> None:
        self._policy = policy
        self._state = SessionState.OPEN
        self._old_tokens: list[str] = []
        #: The JSON texts that were stored under the previous token when `regenerate` was called.
        self._previous_texts: dict[str, str] = {}
        #: The change to send with the response, or None to leave the cookie as it is.
        self.cookie_change: CookieChange | None = None
        if token is None or record is None:
            self._reset()
            self._values: dict[str, Any] = {}
        else:
            self._token: str | None = token
            self._texts = dict(record.values)
            self._created, self._used = record.created, record.used
            self._values = {name: json.loads(text) for name, text in self._texts.items()}

    def _reset(self) -> None:
        self._token = None
        self._texts = {}
        self._created = self._used = time()

    # -- the mapping --

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check_open()
        if not isinstance(name, str):
            raise TypeError(f"the names in a session must be str, got {name!r:.100}")
        name.encode()  # raises for a lone surrogate, which cannot be stored
        _dump(name, value)  # raises for an unsuitable value here, so the traceback shows the assignment
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        self._check_open()
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # The values are omitted because they may be secret, and error reports contain the repr.
        kind = "new" if self.new else "stored"
        return f"<Session {kind} {self._state.value} {len(self._values)} values>"

    # -- beginning and ending the session --

    @property
    def new(self) -> bool:
        """Whether the session is not in the store yet."""
        return self._token is None

    @property
    def created(self) -> float:
        """When the session began, in seconds since the epoch."""
        return self._created

    def regenerate(self) -> None:
        """Give the session a new token and restart its lifetime. The values are kept.

        Call it when a user logs in or gains privileges. The previous token, which an attacker may have
        planted in the browser or observed earlier (session fixation), becomes invalid. If another request has
        ended the session in the meantime, only values that this request has changed are kept.

        :raises RuntimeError: after the head of the response was sent.
        """
        self._check_open()
        self._state = SessionState.OPEN
        if self._token is not None:
            self._old_tokens.append(self._token)
            self._previous_texts = self._texts
        self._reset()

    def invalidate(self) -> None:
        """End the session, for example at logout: delete it from the store and clear its cookie.

        Values that are set afterwards belong to a new session. With `CookieSessionStore`, a copy of the
        cookie is valid until it expires, because nothing is kept on the server.

        :raises RuntimeError: after the head of the response was sent.
        """
        self.regenerate()
        self._previous_texts = {}
        self._values.clear()

    def _check_open(self) -> None:
        if self._state is SessionState.SENT:
            raise RuntimeError("the session cannot be changed after the head of the response was sent")
        if self._state is SessionState.CLOSING:
            raise RuntimeError("the session cannot be changed after the response was finished")

    # -- saving --

    def is_modified(self) -> bool:
        """Whether there are changes that must be saved before the response is sent."""
        return self._state is SessionState.OPEN and (bool(self._old_tokens) or self._dump() != self._texts)

    def is_due(self) -> bool:
        """Whether the time of the last use must be saved."""
        return (
            self._state is SessionState.OPEN
            and self._token is not None
            and time() - self._used >= self._policy.idle_timeout * _RENEWAL_FRACTION
        )

    async def save(self) -> None:
        """Save the session now instead of at the end of the request.

        With an asynchronous store, this is required before the first `RequestHandler.flush` if the session
        was changed.

        :raises SessionStoreError: if the store is not available.
        :raises SessionTooLargeError: if the session is too large for its store.
        :raises TypeError: if a value is not JSON.
        """
        if self._state is SessionState.OPEN and (self.is_modified() or self.is_due()):
            await self._save()

    def closing(self) -> Coroutine[Any, Any, None] | None:
        """Return a coroutine that saves the session of a finished response, or None if it need not be saved.

        If a coroutine is returned, the session becomes read-only.

        :raises TypeError: if a value is not JSON.
        """
        if not (self.is_modified() or self.is_due()):
            return None
        self._state = SessionState.CLOSING
        return self._save()

    async def _save(self) -> None:
        try:
            await self._store(self._dump())
        except BaseException:
            self._state = SessionState.FAILED
            self.cookie_change = None
            raise

    async def _store(self, texts: dict[str, str]) -> None:
        store, now = self._policy.store, time()
        if self._previous_texts and await _await_if_needed(store.load(self._old_tokens[-1])) is None:
            gen_log.info("A session was not regenerated: another request has ended it")
            texts = {name: text for name, text in texts.items() if self._previous_texts.get(name) != text}
            self._values = {name: self._values[name] for name in texts}
        self._previous_texts = {}
        record = SessionRecord(texts, self._created, now)
        seconds = math.ceil(self._policy.remaining(record, now))
        token = self._token
        if token is not None and not texts:
            self._old_tokens.append(token)
            self._token = token = None
        if token is not None:
            changed = [name for name, text in texts.items() if self._texts.get(name) != text]
            removed = [name for name in self._texts if name not in texts]
            token = await _await_if_needed(store.update(token, record, changed, removed, seconds))
            if token is None:
                gen_log.info("A session was not saved: another request has ended it")
                self._state = SessionState.ENDED
                return
            self.cookie_change = CookieChange(token, seconds)
        elif texts:
            token = await _await_if_needed(store.create(record, seconds))
            self.cookie_change = CookieChange(token, seconds)
        else:
            self.cookie_change = CookieChange(None, 0)
        self._token, self._texts, self._used = token, texts, now
        while self._old_tokens:
            await _await_if_needed(store.delete(self._old_tokens[-1]))
            self._old_tokens.pop()

    def _dump(self) -> dict[str, str]:
        return {name: _dump(name, value) for name, value in self._values.items()}

    def seal(self) -> None:
        """Make the session read-only, because the head of the response was sent."""
        self._state = SessionState.SENT


def _dump(name: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"session[{name!r:.100}] cannot be stored: {error}; the values of a session must be JSON (str, "
            "int, float, bool, None, and lists and dicts of them)"
        ) from error


async def _await_if_needed(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def run_synchronously(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never suspends, and return its result.

    :raises TypeError: if it suspends.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise TypeError(
        "a method of the session store returned an awaitable but is not a coroutine function; define it with "
        "`async def`"
    )
