"""What a client is told of an exception where the setting ``serve_traceback`` is on.

A browser is shown a page; everybody else, and every program that asks for JSON, the traceback as text.
"""

from __future__ import annotations

import re
import secrets
import traceback
from typing import TYPE_CHECKING, Any

from tornado.log import app_log
from tornado.web import _debug_frames, _debug_page, _debug_request
from tornado.web._debug_secrets import Secrets
from tornado.web._debug_values import Values
from tornado.web._errors import HTTPError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: The most characters that a page, or a traceback as text, may have.
LIMIT = 2**20
# The traceback within a page.
_LONGEST_PLAIN = 100_000
_MOST_RANGES = 50
_LONGEST_ACCEPT = 4096
# Media types that a client prefers to a page, if it names them.
_TEXTS = re.compile(r"text/plain|application/(?:[a-z0-9.-]+\+)?json")


def write_error(handler: RequestHandler, status_code: int, exc_info: tuple[Any, Any, Any]) -> None:
    """Write the body of an error's answer, and finish.

    :param exc_info: the exception, as a triple.
    """
    error = exc_info[1]
    hidden = Secrets.of(handler)
    if error is not None and wants_page(handler.request):
        try:
            nonce = secrets.token_urlsafe(16)
            page = _page(handler, status_code, error, hidden, nonce)
        except Exception:
            app_log.warning("The debug page cannot be shown, the traceback is sent as text", exc_info=True)
        else:
            _send_page(handler, page, nonce)
            return
    handler.set_header("Content-Type", "text/plain; charset=UTF-8")
    _ = handler.finish(_plain(exc_info, hidden, LIMIT))


def wants_page(request: Any) -> bool:
    """Whether a client names HTML among what it accepts, and plain text or JSON not before it.

    Browsers do so when they open an address, but not for what a script of the page fetches (RFC 9110
    section 12.5.1).
    """
    headers = request.headers
    if headers.get("X-Requested-With", "").lower() == "xmlhttprequest":
        return False
    page = text = 0.0
    for part in headers.get("Accept", "")[:_LONGEST_ACCEPT].split(",")[:_MOST_RANGES]:
        media_type, *parameters = part.lower().split(";")
        media_type = media_type.strip()
        if media_type in ("text/html", "application/xhtml+xml"):
            page = max(page, _quality(parameters))
        elif _TEXTS.fullmatch(media_type) and not (page and _quality(parameters) <= page):
            # Of two that are equal the first one counts.
            text = max(text, _quality(parameters))
    return page > text


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if re.fullmatch(r"\s*[01](?:\.[0-9]{0,3})?\s*", value) else 0.0
    return 1.0


def _page(
    handler: RequestHandler, status_code: int, error: BaseException, hidden: Secrets, nonce: str
) -> str:
    values = Values(hidden)
    raised = _debug_frames.gather(error, values)
    status = f"{status_code} {handler._reason}"
    is_http_error = isinstance(error, HTTPError)
    if isinstance(error, HTTPError):
        raised.message = hidden.mask(error.get_message() or "")
    page = _debug_page.Page(
        status=status,
        title=status if is_http_error else f"{raised.name}: {raised.message[:100]}".rstrip(": "),
        method=str(handler.request.method),
        raised=raised,
        around=_debug_request.gather(handler, error, values),
        plain=_plain((type(error), error, error.__traceback__), hidden, _LONGEST_PLAIN),
        is_http_error=is_http_error,
    )
    for details in (True, False):
        html = _debug_page.render(page, nonce, details=details)
        if len(html) <= LIMIT:
            return html
    raise ValueError(f"it would have {len(html):,} characters")


def _send_page(handler: RequestHandler, page: str, nonce: str) -> None:
    handler.set_header("Content-Type", "text/html; charset=UTF-8")
    handler.set_header("Content-Security-Policy", _debug_page.policy(nonce))
    handler.clear_header("Content-Security-Policy-Report-Only")  # it is about the program's own pages
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.set_header("Cache-Control", "no-store")
    handler.set_header("Vary", "Accept")
    _ = handler.finish(page)


def _plain(exc_info: tuple[Any, Any, Any], hidden: Secrets, limit: int) -> str:
    """The traceback as the interpreter prints it, masked, and cut in its middle where it is long."""
    text = hidden.mask("".join(traceback.format_exception(*exc_info)))
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n\u2026\n{text[-limit // 2 :]}"
