"""What a client is told of an exception where the setting ``serve_traceback`` is on.

A browser gets a page, a client that prefers JSON the default page's JSON with the traceback in it, any
other client the traceback as text.
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

_reports = LogRateLimit(app_log)
#: The most characters that a page, or a traceback as text, may have.
LIMIT = 2**20
# The traceback within a page.
_LONGEST_PLAIN = 100_000
_LONGEST_ACCEPT = 4096
# Media types that a client prefers to a page, if it names them.
_TEXTS = re.compile(r"text/plain|application/(?:[a-z0-9.-]+\+)?json")


def write_error(handler: RequestHandler, status_code: int, exc_info: tuple[Any, Any, Any]) -> bool:
    """Write the body of an error's answer, and finish; nothing for a host that may be another site's.

    :param exc_info: the exception, as a triple.
    :returns: whether it was written.
    """
    if not is_shown_to(handler):
        return False
    error, reason = exc_info[1], handler._reason
    hidden = Redactor.of(handler)
    if error is not None and wants_page(handler.request):
        try:
            nonce = secrets.token_urlsafe(16)
            page = _made_page(handler, f"{status_code} {reason}", error, hidden, nonce)
        except KeyboardInterrupt:
            raise
        except BaseException:  # the program's own code runs here, and may raise anything
            app_log.warning("The debug page cannot be shown, the traceback is sent as text", exc_info=True)
        else:
            _send_page(handler, page, nonce)
            return True
    plain = _plain(exc_info, hidden, LIMIT)
    if _error_page.prefers_json(handler, exc_info):
        _error_page.write_json(handler, status_code, reason, exc_info, plain)
        return True
    handler.set_header("Content-Type", "text/plain; charset=UTF-8")
    handler.add_header("Vary", "Accept")
    _ = handler.finish(_encoded(plain))
    return True


def is_shown_to(handler: RequestHandler) -> bool:
    """Whether a client that asks for this host may see tracebacks and variables.

    A page of any site can read the answers of a server in its visitor's network if its own name resolves to
    that server's address ("DNS rebinding"). The browser sends that name as Host, so without ``allowed_hosts``
    only what no other site can be called is trusted: localhost and addresses.
    """
    if handler.settings.get("allowed_hosts") is not None:
        return True  # other hosts have got a 421
    host = handler.request.host_name.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost") or is_valid_ip(host.strip("[]")):
        return True
    _reports.log(
        "host",
        logging.WARNING,
        "serve_traceback: the error is not shown to the host %r, which may be any site's name for this "
        "machine; put it into the setting allowed_hosts",
        host[:100],
    )
    return False


def wants_page(request: Any) -> bool:
    """Whether a client names HTML among what it accepts, and plain text or JSON not before it.

    Browsers do so when they open an address, but not for what a script of the page fetches (RFC 9110
    section 12.5.1).
    """
    headers = request.headers
    if headers.get("X-Requested-With", "").lower() == "xmlhttprequest":
        return False
    page = text = 0
    for media_type, weight in weights(headers.get("Accept", "")[:_LONGEST_ACCEPT], MEDIA_RANGE):
        if media_type in ("text/html", "application/xhtml+xml"):
            page = max(page, weight)
        elif _TEXTS.fullmatch(media_type) and not (page and weight <= page):
            # Of two that are equal the first one counts.
            text = max(text, weight)
    return page > text


def _made_page(
    handler: RequestHandler, status: str, error: BaseException, hidden: Redactor, nonce: str
) -> str:
    values = ValueFormatter(hidden)
    raised = _traceback.gather(error, values)
    is_http_error = isinstance(error, HTTPError)
    if isinstance(error, HTTPError):
        raised.message = hidden.mask_source(error.get_message() or "")
    page = _page.Page(
        status=status,
        title=status if is_http_error else f"{raised.name}: {raised.message[:100]}".rstrip(": "),
        method=str(handler.request.method),
        raised=raised,
        around=_request_tables.gather(handler, error, values),
        plain=_plain((type(error), error, error.__traceback__), hidden, _LONGEST_PLAIN),
        is_http_error=is_http_error,
    )
    for details in (True, False):
        html = _page.render(page, nonce, details=details)
        if len(html) <= LIMIT:
            return html
    raise ValueError(f"it would have {len(html):,} characters")


def _send_page(handler: RequestHandler, page: str, nonce: str) -> None:
    handler.set_header("Content-Type", "text/html; charset=UTF-8")
    handler.set_header("Content-Security-Policy", _page.policy(nonce))
    handler.clear_header("Content-Security-Policy-Report-Only")  # it is about the program's own pages
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.set_header("Cache-Control", "no-store")
    handler.add_header("Vary", "Accept")
    _ = handler.finish(_encoded(page))


def _encoded(text: str) -> bytes:
    """Its UTF-8. Half a surrogate pair, as in a file's name that is no UTF-8, has none and is escaped."""
    return text.encode("utf-8", "backslashreplace")


def _plain(exc_info: tuple[Any, Any, Any], hidden: Redactor, limit: int) -> str:
    """The traceback as the interpreter prints it, masked, and cut in its middle where it is long."""
    try:
        text = "".join(traceback.format_exception(*exc_info))
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        text = f"{exc_info[0].__qualname__} (its traceback cannot be shown: {type(failure).__name__})\n"
    text = hidden.mask_source(text)
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n\u2026\n{text[-limit // 2 :]}"
