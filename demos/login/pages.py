"""The pages of the demo."""

from __future__ import annotations

import datetime
from http import HTTPStatus
from typing import Any

from tornado.auth import AuthError, OpenIDConnectMixin
from tornado.web import HTTPError, RequestHandler, authenticated

#: Titles and texts of the error page.
DECLINED = ("Sign-in declined", "You declined at the provider. Nothing was shared with this site.")
NOT_COMPLETED = (
    "Sign-in failed",
    "The sign-in was not completed. It may be out of date, or the link did not come from this browser.",
)
UNAVAILABLE = (
    "Sign-in is not available",
    "The provider does not answer. Please try again in a moment.",
)
ERRORS = {
    403: ("This page has expired", "Go back, reload the page, and try again."),
    404: ("Page not found", "The address may be mistyped."),
}
OTHER = ("Something went wrong", "Please try again.")


class LoginFailed(HTTPError):
    """The sign-in failed.

    :ivar page: title and text of the error page.
    """

    def __init__(self, status: int, error: AuthError, page: tuple[str, str]) -> None:
        super().__init__(status, "%s", error)
        self.page = page


class PageHandler(RequestHandler):
    """The base of all pages."""

    def set_default_headers(self) -> None:
        # Each page shows the user. After signing out, "back" must not show a cached page.
        self.set_header("Cache-Control", "no-store")

    def get_current_user(self) -> dict[str, Any] | None:
        """Return the user that the login put into the session, or None."""
        user: dict[str, Any] | None = self.session.get("user")
        return user

    def get_template_namespace(self) -> dict[str, Any]:
        return {**super().get_template_namespace(), "user": self.current_user}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        title, text = error.page if isinstance(error, LoginFailed) else ERRORS.get(status_code, OTHER)
        if status_code >= 500:
            self.current_user = None  # the error may come from the session store
        status, again = f"{status_code} {HTTPStatus(status_code).phrase}", isinstance(error, LoginFailed)
        self.render("error.html", status=status, title=title, text=text, again=again)


class HomeHandler(PageHandler):
    """The first page, which needs no login."""

    def get(self) -> None:
        self.render("home.html")


class ProfileHandler(PageHandler):
    """The user's data from the provider. Visitors without a session are sent to sign in first."""

    @authenticated
    def get(self) -> None:
        since = datetime.datetime.fromtimestamp(self.session["since"], datetime.UTC)
        self.render("profile.html", since=since.strftime("%Y-%m-%d %H:%M UTC"))


class LoginHandler(PageHandler, OpenIDConnectMixin):
    """Both steps of a login: the redirect to the provider, and the callback."""

    async def get(self) -> None:
        # Some providers omit the state when the user declines.
        if self.request.query_arguments.keys() & {"state", "error"}:
            await self.finish_login()
        else:
            await self.begin()

    async def begin(self) -> None:
        """Redirect the user to the provider."""
        # The host was checked against the setting allowed_hosts. The mixin replaces a `next` that leads to
        # another site.
        redirect_uri = f"{self.request.protocol}://{self.request.host}/login"
        try:
            await self.authorize_redirect(redirect_uri, next_url=self.get_query_argument("next", "/profile"))
        except AuthError as error:
            raise LoginFailed(503, error, UNAVAILABLE) from error

    async def finish_login(self) -> None:
        """Handle the redirect back from the provider."""
        try:
            login = await self.get_authenticated_user()
        except AuthError as error:
            declined = self.get_query_argument("error", "") == "access_denied"
            raise LoginFailed(403, error, DECLINED if declined else NOT_COMPLETED) from error
        # Start a new session with another id: an attacker may have planted the old id in this browser.
        self.session.invalidate()
        self.session["user"] = {
            "sub": login.claims["sub"],
            "name": str(login.claims.get("name") or login.claims["sub"]),
            "email": str(login.claims.get("email") or ""),
        }
        self.session["since"] = int(datetime.datetime.now(datetime.UTC).timestamp())
        self.redirect(login.next_url)


class LogoutHandler(PageHandler):
    """Ends the session. Only a form of this site can send the request (``xsrf_cookies``)."""

    def post(self) -> None:
        self.session.invalidate()
        self.redirect("/", status=303)


class UnknownPageHandler(PageHandler):
    """The response to every path without a page."""

    def prepare(self) -> None:
        raise HTTPError(404)


ROUTES: list[Any] = [
    ("/", HomeHandler),
    ("/profile", ProfileHandler),
    ("/login", LoginHandler),
    ("/logout", LogoutHandler),
]
