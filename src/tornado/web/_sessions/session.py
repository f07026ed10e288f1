"""`Session`: the values of one browser as a mapping.

Changes are found by comparing each value's JSON text with the one that was loaded, so a change inside a list
or a dictionary counts too. Only values that differ are saved (see `.SessionStore.update`).
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

#: A session that was not changed is saved again when this part of the idle timeout has passed: the timeout is
#: exact to a tenth, and most requests save nothing.
_RENEWAL = 0.1


class State(enum.Enum):
    """The states of a session object, which decide about changing and saving it."""

    OPEN = "open"
    #: The response is finished and waits for the session to be saved; it can be read only.
    CLOSING = "closing"
    #: Another request has ended the session; changes are not saved.
    ENDED = "ended"
    #: Saving has failed; it is not tried again for the error page.
    FAILED = "failed"
    #: The response's head is sent; the session can be read only.
    SENT = "sent"


class CookieChange:
    """What a response says about the session's cookie.

    :ivar token: the value, or None to clear the cookie.
    :ivar seconds: how long the browser keeps it.
    """

    __slots__ = ("seconds", "token")

    def __init__(self, token: str | None, seconds: int) -> None:
        self.token: str | None = token
        self.seconds: int = seconds


class Session(MutableMapping[str, Any]):
    """The values kept for one browser: `RequestHandler.session`.

    Names are texts, values what JSON can express. The session is saved when the response is sent, unless the
    status is 500 or above; afterwards it can only be read. A session without values is not kept. ::

        class LoginHandler(RequestHandler):
            def post(self):
                user = self.check_password()
                self.session.regenerate()
                self.session["user"] = user.id
                self.redirect("/")
    """

    __module__ = "tornado.web"  # its public address

    __slots__ = (
        "_created",
        "_inherited",
        "_policy",
        "_stale",
        "_state",
        "_texts",
        "_token",
        "_used",
        "_values",
        "cookie_change",
    )

    def __init__(self, policy: SessionSettings, token: str | None, record: SessionRecord | None) -> None:
        self._policy = policy
        self._state = State.OPEN
        self._stale: list[str] = []
        #: The texts that were saved under the token before `regenerate`.
        self._inherited: dict[str, str] = {}
        #: For the response, or None: the browser's cookie stays as it is.
        self.cookie_change: CookieChange | None = None
        if token is None or record is None:
            self._begin_anew()
            self._values: dict[str, Any] = {}
        else:
            self._token: str | None = token
            self._texts = dict(record.values)
            self._created, self._used = record.created, record.used
            self._values = {name: json.loads(text) for name, text in self._texts.items()}

    def _begin_anew(self) -> None:
        self._token = None
        self._texts = {}
        self._created = self._used = time()

    # -- the mapping --

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check_open()
        if not isinstance(name, str):
            raise TypeError(f"names in a session are str, not {name!r:.100}")
        name.encode()  # a lone surrogate could not be stored
        _dump(name, value)  # here, where the program can see which line is at fault
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        self._check_open()
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Without the values: they may be secret, and error reports show this.
        kind = "new" if self.new else "stored"
        return f"<Session {kind} {self._state.value} {len(self._values)} values>"

    # -- its life --

    @property
    def new(self) -> bool:
        """Whether the session is not in the store (yet)."""
        return self._token is None

    @property
    def created(self) -> float:
        """When the session began, in seconds since the epoch."""
        return self._created

    def regenerate(self) -> None:
        """Give the session another token, and begin its lifetime again; the values stay. If another request
        has ended the session meanwhile, only those stay that this request has changed.

        Call it when a user logs in or gets further rights: a token that someone else planted in the browser
        or has seen earlier (session fixation) is worth nothing afterwards.

        :raises RuntimeError: after the response's head was sent.
        """
        self._check_open()
        self._state = State.OPEN
        if self._token is not None:
            self._stale.append(self._token)
            self._inherited = self._texts
        self._begin_anew()

    def invalidate(self) -> None:
        """End the session, as for a logout: it is dropped from the store, and its cookie is cleared.

        Values set afterwards are a new session's. If the values are in the cookie (`CookieSessionStore`), a
        copy of the cookie stays valid until it expires, as nothing is kept on the server.

        :raises RuntimeError: after the response's head was sent.
        """
        self.regenerate()
        self._inherited = {}
        self._values.clear()

    def _check_open(self) -> None:
        if self._state is State.SENT:
            raise RuntimeError("the session cannot be changed after the response's head was sent")
        if self._state is State.CLOSING:
            raise RuntimeError("the session cannot be changed after the response was finished")

    # -- saving --

    def is_modified(self) -> bool:
        """Whether changes must be saved before the response is sent."""
        return self._state is State.OPEN and (bool(self._stale) or self._dump() != self._texts)

    def is_due(self) -> bool:
        """Whether the time of the last use must be renewed."""
        return (
            self._state is State.OPEN
            and self._token is not None
            and time() - self._used >= self._policy.idle_timeout * _RENEWAL
        )

    async def save(self) -> None:
        """Save the session now. The end of the request does it otherwise.

        It is needed where the response is sent in parts by an application whose store is asynchronous: before
        the first `RequestHandler.flush`.

        :raises SessionStoreError: if the store cannot be used.
        :raises SessionTooLargeError: if the session is too large for its store.
        :raises TypeError: if a value is not JSON.
        """
        if self._state is State.OPEN and (self.is_modified() or self.is_due()):
            await self._save()

    def closing(self) -> Coroutine[Any, Any, None] | None:
        """Return what saves the session of a finished response, or None if it need not be saved.

        In the first case the session can be read only.

        :raises TypeError: if a value is not JSON.
        """
        if not (self.is_modified() or self.is_due()):
            return None
        self._state = State.CLOSING
        return self._save()

    async def _save(self) -> None:
        try:
            await self._store(self._dump())
        except BaseException:
            self._state = State.FAILED
            self.cookie_change = None
            raise

    async def _store(self, texts: dict[str, str]) -> None:
        store, now = self._policy.store, time()
        if self._inherited and await _result(store.load(self._stale[-1])) is None:
            gen_log.info("a session was not renewed, since another request has ended it")
            texts = {name: text for name, text in texts.items() if self._inherited.get(name) != text}
            self._values = {name: self._values[name] for name in texts}
        self._inherited = {}
        record = SessionRecord(texts, self._created, now)
        seconds = math.ceil(self._policy.remaining(record, now))
        token = self._token
        if token is not None and not texts:
            self._stale.append(token)
            self._token = token = None
        if token is not None:
            changed = [name for name, text in texts.items() if self._texts.get(name) != text]
            removed = [name for name in self._texts if name not in texts]
            token = await _result(store.update(token, record, changed, removed, seconds))
            if token is None:
                gen_log.info("a session was not saved, since another request has ended it")
                self._state = State.ENDED
                return
            self.cookie_change = CookieChange(token, seconds)
        elif texts:
            token = await _result(store.create(record, seconds))
            self.cookie_change = CookieChange(token, seconds)
        else:
            self.cookie_change = CookieChange(None, 0)
        self._token, self._texts, self._used = token, texts, now
        while self._stale:
            await _result(store.delete(self._stale[-1]))
            self._stale.pop()

    def _dump(self) -> dict[str, str]:
        return {name: _dump(name, value) for name, value in self._values.items()}

    def seal(self) -> None:
        """The response's head is sent: from now on the session can only be read."""
        self._state = State.SENT


def _dump(name: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"session[{name!r:.100}] cannot be stored: {error}; a session holds JSON values (str, int, "
            "float, bool, None, and lists and dicts of them)"
        ) from error


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def run_at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that has nothing to wait for, and return its result.

    :raises TypeError: if it waits.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise TypeError(
        "a method of the session store has returned something to wait for; write its methods with `async def`"
    )
