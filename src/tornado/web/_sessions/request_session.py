"""The session of one request.

With a synchronous store, the session is loaded when the handler first uses ``self.session``, and saved when
the head of the response is written. With an asynchronous store, the session is loaded before ``prepare`` if
the request has a session cookie, and `RequestHandler.finish` sends the response after the session has been
saved. If loading fails, the error is raised when the handler uses the session, so handlers that do not use it
work while the store is unavailable.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Coroutine
from time import time
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders
from tornado.web._execution._cancellation import settings_of
from tornado.web._sessions.session import Session, run_synchronously
from tornado.web._sessions.settings import policy_of
from tornado.web._sessions.store import SessionRecord, SessionStoreError

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

#: The maximum length of a session cookie in characters. A longer one is ignored.
_MAX_COOKIE = 4096


class RequestSession:
    """Loads and saves the session of one handler, and sets its cookie.

    :param handler: the handler of the request. Only a weak reference to it is kept, because the handler
        refers to this object.
    """

    __slots__ = ("_attributes", "_failure", "_handler_ref", "_loaded", "_name", "_policy", "_session")

    def __init__(self, handler: HandlerInterface) -> None:
        self._handler_ref = weakref.ref(handler)
        self._policy = policy_of(handler.application)
        self._name, self._attributes = self._policy.cookie(handler.request.protocol)
        #: The session loaded from the store, whether or not the handler uses it.
        self._loaded: Session | None = None
        self._failure: BaseException | None = None
        #: The same session once the handler has used it, otherwise None.
        self._session: Session | None = None

    @property
    def _handler(self) -> HandlerInterface:
        handler = self._handler_ref()
        assert handler is not None, "only the handler uses its session"
        return handler

    def _token(self) -> str | None:
        token = self._handler.get_cookie(self._name)
        return token if token and len(token) <= _MAX_COOKIE else None

    # -- loading --

    def open(self, head_sent: bool) -> Session:
        """Return the session, loading it first if the store is synchronous.

        :param head_sent: whether the head of the response was sent; if so, the session is read-only.
        :raises SessionStoreError: if loading has failed.
        :raises RuntimeError: if the session is not loaded and the store is asynchronous.
        """
        if self._loaded is None:
            if self._failure is not None:
                raise self._failure
            token = self._token()
            if token is None:
                self._loaded = Session(self._policy, None, None)
            elif self._policy.is_asynchronous:
                raise RuntimeError(
                    "the session is not loaded: use `await self.get_session()`, or set "
                    f"session_autoload = True on {type(self._handler).__name__}"
                )
            else:
                run_synchronously(self._load(token))
        return self._use(head_sent)

    async def load(self, head_sent: bool) -> Session:
        """Return the session, loading it if necessary; arguments and errors as in `open`."""
        if self._loaded is None and self._failure is None:
            token = self._token()
            if token is not None:
                await self._load(token)
        return self.open(head_sent)

    def loading(self) -> Coroutine[Any, Any, None] | None:
        """Return a coroutine that loads the session, or None if the request has no session cookie."""
        token = self._token()
        return None if token is None else self._try_to_load(token)

    async def _try_to_load(self, token: str) -> None:
        try:
            await self._load(token)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise  # the request was cancelled, not an operation of the store
            self._failure = error  # raised when the handler uses the session

    async def _load(self, token: str) -> None:
        store = self._policy.store
        found: Any = store.load(token)
        record: SessionRecord | None = await found if self._policy.is_asynchronous else found
        if record is not None and self._policy.remaining(record, time()) <= 0:
            record = None
        # If the session does not exist, the token is not reused: a new session gets a new token (session
        # fixation).
        self._loaded = Session(self._policy, token, record)

    def _use(self, head_sent: bool) -> Session:
        assert self._loaded is not None
        self._session = self._loaded
        if head_sent:
            self._session.seal()
        return self._session

    # -- saving --

    def saving(self) -> Coroutine[Any, Any, None] | None:
        """Return a coroutine that saves the session and must complete before the response is sent, or None.

        None means that the response can be sent immediately.
        """
        session = self._session
        if session is None or not self._policy.is_asynchronous or self._is_failure():
            return None
        saving = session.closing()
        return None if saving is None else self._save_in_time(saving)

    async def _save_in_time(self, saving: Coroutine[Any, Any, None]) -> None:
        """Save the session with a separate time limit, because the limit of the handler ends with its
        coroutine.

        :raises SessionStoreError: if saving takes longer than the ``handler_timeout``.
        """
        handler_class: type[Any] = type(self._handler)
        _, seconds = settings_of(self._handler.application, handler_class)
        try:
            async with asyncio.timeout(seconds or None) as limit:
                await saving
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise SessionStoreError(
                "%s did not save the session within the handler_timeout of %g s",
                type(self._policy.store).__name__,
                seconds,
            ) from error

    def _is_failure(self) -> bool:
        return self._handler.get_status() >= 500

    def respond(self, headers: HTTPHeaders) -> None:
        """Save the session if the store is synchronous, and set the cookie in the response.

        :param headers: the header fields of the response, which is about to be sent.
        :raises RuntimeError: if the session has unsaved changes and the store is asynchronous.
        """
        session = self._session
        if session is None:
            return
        if not self._is_failure():
            if not self._policy.is_asynchronous:
                run_synchronously(session.save())
            elif session.is_modified():
                raise RuntimeError(
                    "the session was changed but not saved before flush(); with an asynchronous store, call "
                    "`await self.session.save()` first"
                )
        session.seal()
        if self._handler.get_status() != 101:
            headers.add("Vary", "Cookie")
        change = session.cookie_change
        if change is None:
            return
        _make_private(headers)
        if change.token is None:
            self._handler.clear_cookie(self._name, **self._without_age())
        else:
            self._handler.set_cookie(
                self._name, change.token, **{"max_age": change.seconds, **self._attributes}
            )

    def _without_age(self) -> dict[str, Any]:
        ages = ("max_age", "expires", "expires_days")
        return {name: value for name, value in self._attributes.items() if name not in ages}


def _make_private(headers: HTTPHeaders) -> None:
    """Set Cache-Control so that only the browser may store a response that sets the session cookie.

    RFC 9111 section 7.3: Set-Cookie does not prevent a shared cache from storing a response and sending the
    session to other users. ``public`` is removed even if the handler has set it, for example for a versioned
    static file.
    """
    directives = [each.strip() for each in headers.get("Cache-Control", "").split(",")]
    names = {each.lower() for each in directives}
    if "private" in names or "no-store" in names:
        return
    kept = [each for each in directives if each and each.lower() != "public"]
    headers["Cache-Control"] = ", ".join([*kept, "private"])
