"""The pages of the board."""

from __future__ import annotations

import datetime
import secrets
import sys
from typing import Any

from database import Unavailable
from messages import FIELDS, Board, Draft, Message

import tornado.locale
import tornado.web

LANGUAGES = {"en_US": "English", "zh_CN": "中文"}
TEN_YEARS = 3650  # days

# Titles and texts of the error pages.
ERRORS = {
    "author": ("Someone else wrote this message", "Only the browser that wrote a message can change it."),
    "403": ("This form has expired", "Go back, reload the page, and send it again."),
    "404": ("Page not found", "The message may have been deleted, or the address is mistyped."),
    "503": ("The board is unavailable", "Its database is not responding. Please try again in a moment."),
}
OTHER = ("Something went wrong", "Please try again.")
NOT_SAVED = "The message could not be saved just now. Nothing is lost: please send it again in a moment."


class NotYours(tornado.web.HTTPError):
    """The message was written in another browser."""

    def __init__(self) -> None:
        super().__init__(403, "not the author of this message")


class BoardHandler(tornado.web.RequestHandler):
    """The base class of all pages."""

    # Far more than the maximum length of all fields, so that a form with a field that is too long is shown
    # again with an error message, and not rejected.
    max_body_size = 1024 * 1024

    @property
    def board(self) -> Board:
        board: Board = self.settings["board"]
        return board

    def set_default_headers(self) -> None:
        # A page depends on the user: it is in the user's language, and their messages can be edited.
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Cookie, Accept-Language")

    def get_user_locale(self) -> tornado.locale.Locale | None:
        chosen = self.get_cookie("language")
        return tornado.locale.get(chosen) if chosen in LANGUAGES else None

    def get_current_user(self) -> str | None:
        """Return the random name that a browser gets with its first message. It identifies the author of a
        message.
        """
        cookie = self.get_signed_cookie("author", max_age_days=TEN_YEARS)
        return cookie.decode() if cookie else None

    def author(self) -> str:
        """Return `current_user`, or create a new author name and set its cookie."""
        name: str = self.current_user or secrets.token_hex(16)
        if name != self.current_user:
            secure = self.request.protocol == "https"
            self.set_signed_cookie("author", name, TEN_YEARS, httponly=True, secure=secure, samesite="Lax")
        return name

    def draft(self) -> Draft:
        """Return the contents of the submitted form."""
        return Draft.of({field.name: self.get_body_argument(field.name, "") for field in FIELDS})

    def page_number(self, name: str) -> int | None:
        """Return the message number in a query argument, or None if the argument is missing.

        :raises tornado.web.HTTPError: 404, if it is not a number.
        """
        text = self.get_query_argument(name, "")
        if not text:
            return None
        if not text.isdecimal() or len(text) > 18:
            raise tornado.web.HTTPError(404)
        return int(text)

    async def get_own_message(self, number: str) -> Message:
        """Return the message with this number if the current user wrote it.

        :raises tornado.web.HTTPError: 404, if the message does not exist; 403, if another user wrote it.
        """
        message = await self.board.get(int(number))
        if message is None:
            raise tornado.web.HTTPError(404)
        if message.author != self.current_user:
            raise NotYours
        return message

    def get_template_namespace(self) -> dict[str, Any]:
        names = super().get_template_namespace()
        return {
            **names,
            "fields": FIELDS,
            "languages": LANGUAGES,
            "format_time": self.format_time,
            "errors": {},
        }

    def format_time(self, written: int) -> tuple[str, str, str]:
        """Format a time in three ways: relative to now, in full, and as ISO 8601."""
        when = datetime.datetime.fromtimestamp(written, datetime.UTC)
        full = self.locale.format_date(when, full_format=True)
        return self.locale.format_date(when), f"{full} UTC", when.strftime("%Y-%m-%dT%H:%M:%SZ")

    def show_form(self, action: str, draft: Draft, **names: Any) -> None:
        """Render a page that contains only the form."""
        self.render("write.html", action=action, draft=draft, **{"alert": "", **names})

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if self.settings.get("serve_traceback") and status_code == 500:
            super().write_error(status_code, **kwargs)
            return
        error = kwargs.get("exc_info", (None, None))[1]
        if status_code == 503:
            self.set_header("Retry-After", "10")
        key = "author" if isinstance(error, NotYours) else str(status_code)
        title, advice = ERRORS.get(key, OTHER)
        self.render("error.html", status=status_code, title=title, advice=advice)


class ListHandler(BoardHandler):
    """The list of messages, with a form for a new one."""

    async def get(self) -> None:
        before, after = self.page_number("before"), self.page_number("after")
        page = await (self.board.newest(before) if after is None else self.board.just_after(after))
        if after is not None and len(page.messages) < self.board.page_size:
            # There are fewer messages than fit on a page, so show the first page.
            self.redirect("/")
            return
        self.render("index.html", page=page, action="/", draft=Draft())

    async def post(self) -> None:
        draft = self.draft()
        if errors := draft.errors(self.locale.translate):
            self.set_status(400)
            self.show_form("/", draft, errors=errors)
            return
        try:
            number = await self.board.add(self.author(), draft)
        except Unavailable:
            self.show_unsaved(draft, "/")
        else:
            self.redirect(f"/#m{number}", status=303)

    def show_unsaved(self, draft: Draft, action: str) -> None:
        """The database is not available: show the form again with its contents, so that it can be
        resubmitted.
        """
        self.log_exception(*sys.exc_info())
        self.set_status(503)
        self.set_header("Retry-After", "10")
        self.show_form(action, draft, alert=self.locale.translate(NOT_SAVED))


class EditHandler(ListHandler):
    """The form for editing a message of the current user."""

    async def get(self, number: str) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        message = await self.get_own_message(number)
        self.show_form(f"/messages/{number}", message.draft)

    async def post(self, number: str) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        draft, action = self.draft(), f"/messages/{number}"
        try:
            message = await self.get_own_message(number)
            if errors := draft.errors(self.locale.translate):
                self.set_status(400)
                self.show_form(action, draft, errors=errors)
                return
            if not await self.board.change(message.id, message.author, draft):
                raise tornado.web.HTTPError(404)
        except Unavailable:
            self.show_unsaved(draft, action)
        else:
            self.redirect(f"/?before={message.id + 1}#m{message.id}", status=303)


class DeleteHandler(BoardHandler):
    """Deletes a message of the current user."""

    async def post(self, number: str) -> None:
        message = await self.get_own_message(number)
        await self.board.remove(message.id, message.author)
        self.redirect("/", status=303)


class LanguageHandler(BoardHandler):
    """Stores the chosen language in a cookie."""

    def get(self, code: str) -> None:
        if code not in LANGUAGES:
            raise tornado.web.HTTPError(404)
        self.set_cookie("language", code, expires_days=365, samesite="Lax", httponly=True)
        self.redirect("/")


class NowhereHandler(BoardHandler):
    """The response to every path without a page."""

    def prepare(self) -> None:
        raise tornado.web.HTTPError(404)


ROUTES: list[Any] = [
    (r"/", ListHandler),
    (r"/messages/(\d{1,18})", EditHandler),
    (r"/messages/(\d{1,18})/delete", DeleteHandler),
    (r"/language/(\w+)", LanguageHandler),
]
