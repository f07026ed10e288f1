"""The response to an exception if the setting ``serve_traceback`` is enabled.

A browser receives the debug page. A client that prefers JSON receives the JSON of the default error page with
the traceback added. Any other client receives the traceback as text.
"""

from __future__ import annotations

import logging
import re
import secrets
import traceback
from typing import TYPE_CHECKING, Any

from tornado._log_rate_limit import LogRateLimit
from tornado._wire.quality_values import MEDIA_RANGE, weights
from tornado.log import app_log
from tornado.netutil import is_valid_ip
from tornado.web import _error_page
from tornado.web._debug import _page, _request_tables, _traceback
from tornado.web._debug._redaction import Redactor
from tornado.web._debug._value_repr import ValueFormatter
from tornado.web._errors import HTTPError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

_log_limit = LogRateLimit(app_log)
#: The maximum length of a page, or of a traceback as text, in characters.
LIMIT = 2**20
# The maximum length of the plain traceback within a page, in characters.
_MAX_PLAIN_LENGTH = 100_000
_MAX_ACCEPT_LENGTH = 4096
# Media types that take precedence over a page if the Accept field lists them first or with a higher weight.
_TEXTS = re.compile(r"text/plain|application/(?:[a-z0-9.-]+\+)?json")


def write_error(handler: RequestHandler, status_code: int, exc_info: tuple[Any, Any, Any]) -> bool:
    """Send the error response with the traceback, unless the requested host could belong to another site.

    :param exc_info: the exception, as a triple like that of `sys.exc_info`.
    :returns: whether the response was sent.
    """
    if not is_shown_to(handler):
        return False
    error, reason = exc_info[1], handler._reason
    redactor = Redactor.of(handler)
    if error is not None and wants_page(handler.request):
        try:
            nonce = secrets.token_urlsafe(16)
            page = _build_page(handler, f"{status_code} {reason}", error, redactor, nonce)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a repr() of the program runs here and can raise any exception
            app_log.warning(
                "Cannot build the debug page for the exception; sending the traceback as text", exc_info=True
            )
        else:
            _send_page(handler, page, nonce)
            return True
    plain = _format_traceback(exc_info, redactor, LIMIT)
    if _error_page.prefers_json(handler, exc_info):
        _error_page.write_json(handler, status_code, reason, exc_info, plain)
        return True
    handler.set_header("Content-Type", "text/plain; charset=UTF-8")
    handler.add_header("Vary", "Accept")
    _ = handler.finish(_encode(plain))
    return True


def is_shown_to(handler: RequestHandler) -> bool:
    """Whether tracebacks and variables may be sent in a response for the requested host.

    A website whose own name resolves to the address of a server in the visitor's network can read that
    server's responses ("DNS rebinding"). The browser sends the name of the site as Host. Without
    ``allowed_hosts``, only hosts that cannot be the name of another site are trusted: localhost and IP
    addresses.
    """
    if handler.settings.get("allowed_hosts") is not None:
        return True  # a request for any other host was rejected with 421
    host = handler.request.host_name.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost") or is_valid_ip(host.strip("[]")):
        return True
    _log_limit.log(
        "host",
        logging.WARNING,
        "serve_traceback: not sending the traceback for the host %r, which could be another site's name for "
        "this machine; add it to the setting allowed_hosts",
        host[:100],
    )
    return False


def wants_page(request: Any) -> bool:
    """Whether the Accept field lists HTML, and neither plain text nor JSON takes precedence over it.

    This is the case if a browser opens an address, but not if a script calls fetch() (RFC 9110 section
    12.5.1).
    """
    headers = request.headers
    if headers.get("X-Requested-With", "").lower() == "xmlhttprequest":
        return False
    page = text = 0
    for media_type, weight in weights(headers.get("Accept", "")[:_MAX_ACCEPT_LENGTH], MEDIA_RANGE):
        if media_type in ("text/html", "application/xhtml+xml"):
            page = max(page, weight)
        elif _TEXTS.fullmatch(media_type) and not (page and weight <= page):
            # If the weights are equal, the media type that is listed first takes precedence.
            text = max(text, weight)
    return page > text


def _build_page(
    handler: RequestHandler, status: str, error: BaseException, redactor: Redactor, nonce: str
) -> str:
    values = ValueFormatter(redactor)
    raised = _traceback.gather(error, values)
    is_http_error = isinstance(error, HTTPError)
    if isinstance(error, HTTPError):
        raised.message = redactor.mask_source(error.get_message() or "")
    page = _page.Page(
        status=status,
        title=status if is_http_error else f"{raised.name}: {raised.message[:100]}".rstrip(": "),
        method=str(handler.request.method),
        raised=raised,
        tables=_request_tables.gather(handler, error, values),
        plain=_format_traceback((type(error), error, error.__traceback__), redactor, _MAX_PLAIN_LENGTH),
        is_http_error=is_http_error,
    )
    for details in (True, False):
        html = _page.render(page, nonce, details=details)
        if len(html) <= LIMIT:
            return html
    raise ValueError(f"the debug page has {len(html):,} characters, more than the maximum of {LIMIT:,}")


def _send_page(handler: RequestHandler, page: str, nonce: str) -> None:
    handler.set_header("Content-Type", "text/html; charset=UTF-8")
    handler.set_header("Content-Security-Policy", _page.policy(nonce))
    handler.clear_header("Content-Security-Policy-Report-Only")  # set by the program for its own pages
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.set_header("Cache-Control", "no-store")
    handler.add_header("Vary", "Accept")
    _ = handler.finish(_encode(page))


def _encode(text: str) -> bytes:
    """Encode text as UTF-8. Lone surrogates, which represent file names that are not UTF-8, are escaped."""
    return text.encode("utf-8", "backslashreplace")


def _format_traceback(exc_info: tuple[Any, Any, Any], redactor: Redactor, limit: int) -> str:
    """Return the traceback as the interpreter prints it, masked; if it is too long, the middle is omitted."""
    try:
        text = "".join(traceback.format_exception(*exc_info))
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        text = f"{exc_info[0].__qualname__} (its traceback cannot be shown: {type(failure).__name__})\n"
    text = redactor.mask_source(text)
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n\u2026\n{text[-limit // 2 :]}"
