"""The base class of the handlers, which checks the access; the login form; the health checks."""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from typing import Any

from tornado._serve.admin.access import Access
from tornado._serve.admin.collector import Collector
from tornado._serve.admin.link import SupervisorTimeout
from tornado._serve.worker_problems import has_healthy_worker, worker_problems
from tornado.log import gen_log
from tornado.web import AuthenticationError, RequestHandler

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["AdminHandler", "Live", "Login", "Logout", "Ready"]

_COOKIE_DAYS = 0.5
_READY_STATES = frozenset({"serving", "reloading", "upgrading"})


class AdminHandler(RequestHandler):
    """The base class of all handlers but the health checks.

    :ivar redirects: whether a browser without credentials is sent to the login form.
    """

    authentication_scheme = "Bearer"
    authentication_realm = "administration"
    redirects = False

    def initialize(self, collector: Collector, access: Access) -> None:
        """Keep the arguments of the route.

        :param collector: the state of the service.
        :param access: the rules of access.
        """
        self.collector = collector
        self.access = access

    def set_default_headers(self) -> None:
        """Prevent caches from keeping the response."""
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> Awaitable[None] | None:
        """Reject a request without credentials."""
        if self.access.token is None or self.has_credentials():
            return None
        if self.redirects and self.request.method in ("GET", "HEAD"):
            self.redirect("login")
            return None
        raise AuthenticationError("invalid_token" if self.get_bearer_token() is not None else None)

    def has_credentials(self) -> bool:
        """Whether the request has the token, or the cookie of the login form."""
        token = self.get_bearer_token()
        if token is not None:
            return self.access.accepts(token)
        return self.get_signed_cookie(self.access.cookie_name, max_age_days=_COOKIE_DAYS) is not None


class Login(AdminHandler):
    """The form for the token. A browser then has a cookie."""

    def prepare(self) -> None:
        """Allow the request without credentials."""

    def get(self) -> None:
        """Show the form."""
        _ = self.render("login.html", wrong=False)

    def post(self) -> None:
        """Set the cookie if the token is right."""
        if not self.access.accepts(self.get_body_argument("token", "")):
            gen_log.warning("--admin: login from %s with a wrong token", self.request.remote_ip)
            self.set_status(403)
            _ = self.render("login.html", wrong=True)
            return
        # A script of the page needs no access to it, and links of other sites do not send it.
        self.set_signed_cookie(
            self.access.cookie_name,
            "1",
            expires_days=_COOKIE_DAYS,
            httponly=True,
            samesite="Strict",
            secure=self.request.protocol == "https",
        )
        self.redirect("./")


class Logout(AdminHandler):
    """Removes the cookie."""

    def post(self) -> None:
        """Remove the cookie."""
        self.clear_cookie(self.access.cookie_name)
        self.redirect("login")


class _Health(RequestHandler):
    """The base class of the health checks, which reveal nothing and need no credentials."""

    def initialize(self, collector: Collector, access: Access) -> None:
        """Keep the state of the service; the checks are the same for all clients."""
        self.collector = collector

    async def status(self) -> dict[str, Any] | None:
        """Return the status of the service, or None if the supervisor does not answer."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        try:
            return await self.collector.update_status()
        except SupervisorTimeout:
            return None


class Live(_Health):
    """``/livez``: whether the supervisor runs. Otherwise the platform should restart the service."""

    async def get(self) -> None:
        """Respond with 200 or 503."""
        status = await self.status()
        self.set_status(503 if status is None else 200)
        self.write("the supervisor does not answer\n" if status is None else "live\n")


class Ready(_Health):
    """``/readyz``: whether requests should be sent to the service.

    It is not ready from the beginning of the end on, ``--drain-delay`` before the listeners close, so that a
    load balancer can take it out of service first; and while each worker reports a problem, such as channels
    that receive no messages. If only some of them do, the others accept the connections, and the response
    contains the problems.
    """

    async def get(self) -> None:
        """Respond with 200 or 503."""
        status = await self.status()
        state = "the supervisor does not answer" if status is None else status["state"]
        if status is None or state not in _READY_STATES or not status["serving"]:
            ready, problems = False, [state]
        else:
            problems = worker_problems(status["workers"])
            ready = not problems or has_healthy_worker(status["workers"])
        self.set_status(200 if ready else 503)
        text = "ready" if ready else "not ready"
        self.write(f"{text}: {'; '.join(problems)}\n" if problems else f"{text}\n")
