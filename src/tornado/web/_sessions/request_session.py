"""A session's part in one request.

With a store that answers at once, nothing happens before the handler uses ``self.session``: the session is
loaded then, and saved when the response's head is written. An asynchronous store is used earlier: the
session is loaded before ``prepare`` if the request has a session cookie, and `RequestHandler.finish` sends
the response after the session has been saved. If loading fails, the error is raised where a handler uses the
session; other handlers work without the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import time
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders
from tornado.web._cancellation import settings_of
from tornado.web._sessions.session import Session, run_at_once
from tornado.web._sessions.settings import policy_of
from tornado.web._sessions.store import SessionRecord, SessionStoreError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: Characters from which on a cookie cannot be a session's.
_MAX_COOKIE = 4096


class RequestSession:
    """Loads and saves the session of one handler.

    :param handler: which has, or had, a request.
    """

    __slots__ = ("_attributes", "_failure", "_handler", "_loaded", "_name", "_policy", "_session")

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._policy = policy_of(handler.application)
        self._name, self._attributes = self._policy.cookie(handler.request.protocol)
        #: As it came from the store; the handler may not use it.
        self._loaded: Session | None = None
        self._failure: BaseException | None = None
        #: As the handler uses it.
        self._session: Session | None = None

    def _token(self) -> str | None:
        token = self._handler.get_cookie(self._name)
        return token if token and len(token) <= _MAX_COOKIE else None

    # -- loading --

    def open(self, head_sent: bool) -> Session:
        """Return the session; one that is not loaded yet is loaded at once.

        :param head_sent: whether the response's head was sent, so that the session cannot be changed.
        :raises SessionStoreError: if loading has failed.
        :raises RuntimeError: if that cannot be done at once.
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
                    f"session_autoload = True in {type(self._handler).__name__}"
                )
            else:
                run_at_once(self._load(token))
        return self._use(head_sent)

    async def load(self, head_sent: bool) -> Session:
        """Return the session, loading it if need be; arguments and errors as in `open`."""
        if self._loaded is None and self._failure is None:
            token = self._token()
            if token is not None:
                await self._load(token)
        return self.open(head_sent)

    def loading(self) -> Coroutine[Any, Any, None] | None:
        """Return what loads the session before the handler runs, or None without a session cookie."""
        token = self._token()
        return None if token is None else self._try_to_load(token)

    async def _try_to_load(self, token: str) -> None:
        try:
            await self._load(token)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise  # the request is cancelled, not an operation of the store
            self._failure = error  # raised where the handler uses the session

    async def _load(self, token: str) -> None:
        store = self._policy.store
        found: Any = store.load(token)
        record: SessionRecord | None = await found if self._policy.is_asynchronous else found
        if record is not None and self._policy.remaining(record, time()) <= 0:
            record = None
        # A token without a session is not adopted: a new session gets a new token (session fixation).
        self._loaded = Session(self._policy, token, record)

    def _use(self, head_sent: bool) -> Session:
        assert self._loaded is not None
        self._session = self._loaded
        if head_sent:
            self._session.seal()
        return self._session

    # -- saving --

    def saving(self) -> Coroutine[Any, Any, None] | None:
        """Return what saves the session before the response can be sent, or None if the response need not
        wait.
        """
        session = self._session
        if session is None or not self._policy.is_asynchronous or self._is_failure():
            return None
        saving = session.closing()
        return None if saving is None else self._save_in_time(saving)

    async def _save_in_time(self, saving: Coroutine[Any, Any, None]) -> None:
        """Save the session. The handler's coroutine may have ended, and its time limit with it.

        :raises SessionStoreError: if saving takes longer than the ``handler_timeout``.
        """
        _, seconds = settings_of(self._handler.application, type(self._handler))
        try:
            async with asyncio.timeout(seconds or None) as limit:
                await saving
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise SessionStoreError(
                "%s has not saved the session within the handler_timeout of %g s",
                type(self._policy.store).__name__,
                seconds,
            ) from error

    def _is_failure(self) -> bool:
        return self._handler.get_status() >= 500

    def respond(self, headers: HTTPHeaders) -> None:
        """Save what can be saved at once, and put the cookie into the response.

        :param headers: of the response, which will be sent next.
        :raises RuntimeError: if the session is still to be saved, and that cannot be done at once.
        """
        session = self._session
        if session is None:
            return
        if not self._is_failure():
            if not self._policy.is_asynchronous:
                run_at_once(session.save())
            elif session.is_modified():
                raise RuntimeError(
                    "the session was changed and not saved before flush(); the store is asynchronous, so use "
                    "`await self.session.save()` first"
                )
        session.seal()
        if self._handler.get_status() != 101:
            headers.add("Vary", "Cookie")
        change = session.cookie_change
        if change is None:
            return
        _keep_from_shared_caches(headers)
        if change.token is None:
            self._handler.clear_cookie(self._name, **self._without_age())
        else:
            self._handler.set_cookie(
                self._name, change.token, **{"max_age": change.seconds, **self._attributes}
            )

    def _without_age(self) -> dict[str, Any]:
        ages = ("max_age", "expires", "expires_days")
        return {name: value for name, value in self._attributes.items() if name not in ages}


def _keep_from_shared_caches(headers: HTTPHeaders) -> None:
    """Allow only the browser to store a response that sets the session's cookie.

    RFC 9111 section 7.3: a shared cache may store a response in spite of its Set-Cookie, and would give the
    session to other visitors. So it may even where the handler allows it, as for a versioned static file.
    """
    directives = [each.strip() for each in headers.get("Cache-Control", "").split(",")]
    names = {each.lower() for each in directives}
    if "private" in names or "no-store" in names:
        return
    kept = [each for each in directives if each and each.lower() != "public"]
    headers["Cache-Control"] = ", ".join([*kept, "private"])
