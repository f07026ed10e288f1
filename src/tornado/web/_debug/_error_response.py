"""The response to an exception if the setting ``serve_traceback`` is enabled.

A browser receives the debug page. A client that prefers JSON receives the JSON of the default error page with
the traceback added. Any other client receives the traceback as text.
"""

from __future__ import annotations

import secrets
import traceback
from typing import TYPE_CHECKING, Any

from tornado.log import app_log
from tornado.web._debug import _page, _request_tables, _traceback
from tornado.web._debug._value_repr import ValueFormatter
from tornado.web._errors import HTTPError
from tornado.web._execution import _error_page
from tornado.web._execution._response import response_of
from tornado.web._redaction._redactor import Redactor
from tornado.web._security._local_hosts import may_show_internals

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

#: The maximum length of a page, or of a traceback as text, in characters.
LIMIT = 2**20
# The maximum length of the plain traceback within a page, in characters.
_MAX_PLAIN_LENGTH = 100_000


def write_error(handler: Any, status_code: int, exc_info: tuple[Any, Any, Any]) -> bool:
    """Send the error response with the traceback, unless the requested host could belong to another site.

    :param exc_info: the exception, as a triple like that of `sys.exc_info`.
    :returns: whether the response was sent.
    """
    if not may_show_internals(handler):
        return False
    error, reason = exc_info[1], response_of(handler).reason
    redactor = Redactor.of(handler)
    if error is not None and _error_page.wants_page(handler.request):
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


def _build_page(
    handler: HandlerInterface, status: str, error: BaseException, redactor: Redactor, nonce: str
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


def _send_page(handler: HandlerInterface, page: str, nonce: str) -> None:
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
