"""Protection against cross-site request forgery (XSRF).

There are two mechanisms, each enabled by a setting. ``xsrf_cookies`` sets a cookie with a random token, which
only pages of the same site can repeat in a form field or header field (double submit). The token is masked
differently in each response, so that compressed pages do not disclose it (BREACH).
``cross_origin_protection`` checks the origin of the request as reported by the browser (Sec-Fetch-Site,
otherwise Origin compared with Host), and needs no token.

Neither applies to a request with a bearer token if the handler declares the scheme
(``authentication_scheme``): browsers add cookies to a request that another site has caused, but never the
Authorization field.
"""

from __future__ import annotations

import binascii
import hmac
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado._wire.cookies import has_prefix
from tornado.escape import utf8
from tornado.log import gen_log
from tornado.util import _websocket_mask
from tornado.web._errors import HTTPError
from tornado.web._security._authentication import uses_bearer_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.httputil import HTTPServerRequest
    from tornado.web._interfaces import HandlerInterface

#: The version, the unmasked token and the time of issue; all are None if the text was malformed.
Decoded = tuple[int | None, bytes | None, float | None]

_TOKEN_BYTES = 16
_MASK_BYTES = 4
_SAFE_SITES = ("same-origin", "none")
#: The number of characters of a rejected field that are logged.
_MAX_LOGGED = 200


def check_request(handler: HandlerInterface) -> None:
    """Check a state-changing request before ``prepare``, by the mechanisms that the settings enable."""
    settings = handler.application.settings
    if settings.get("xsrf_cookies") and not uses_bearer_token(handler):
        handler.check_xsrf_cookie()
    if settings.get("cross_origin_protection") and not uses_bearer_token(handler):
        check_origin(handler.request, handler.check_trusted_origin)


def check_origin(request: HTTPServerRequest, trusts: Callable[[str], bool], field: str = "Origin") -> None:
    """Reject a request that a page of another origin has sent, unless `trusts` returns True for the origin.

    :param field: the name of the field that contains the origin.
    :raises HTTPError: (403) with a message for the log.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get(field)
    if site is not None:
        if site in _SAFE_SITES:
            return
    elif origin is None:
        return  # not a browser, or a very old one
    elif _authority(origin) == request.host.lower():
        return
    if origin is not None and trusts(origin):
        return
    origin = origin and origin[:_MAX_LOGGED]
    if site is None:
        raise HTTPError(
            403,
            "Origin %r not allowed: it differs from the requested host %r",
            origin,
            request.host[:_MAX_LOGGED],
        )
    raise HTTPError(403, "Sec-Fetch-Site %s (Origin %r) not allowed", site[:_MAX_LOGGED], origin)


def _authority(origin: str) -> str | None:
    """Return host and port of an Origin field, or None if it is malformed."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def is_trusted_origin(handler: HandlerInterface, origin: str) -> bool:
    """Whether the setting ``trusted_origins`` contains `origin`."""
    return origin in handler.application.settings.get("trusted_origins", ())


def make_token(handler: HandlerInterface, version: int | None, raw: bytes, timestamp: float) -> bytes:
    """Return a masked token for a response, and set the cookie if the token is new.

    :param version: the version of the client's cookie, or None for a new token.
    :param raw: the unmasked token.
    :param timestamp: the time of issue, in seconds since the epoch.
    """
    settings = handler.application.settings
    output_version = settings.get("xsrf_cookie_version", 2)
    if output_version == 1:
        made = binascii.hexlify(raw)
    elif output_version == 2:
        mask = os.urandom(_MASK_BYTES)
        masked = _websocket_mask(mask, raw)
        fields = [b"2", binascii.hexlify(mask), binascii.hexlify(masked), utf8(str(int(timestamp)))]
        made = b"|".join(fields)
    else:
        raise ValueError(f"unknown xsrf_cookie_version {output_version!r}: it must be 1 or 2")
    if version is None:
        options = dict(settings.get("xsrf_cookie_kwargs", {}))
        if handler.current_user and "expires_days" not in options:
            options["expires_days"] = 30
        name = settings.get("xsrf_cookie_name", "_xsrf")
        if has_prefix(name):
            options.setdefault("secure", True)  # the prefix requires it
        handler.set_cookie(name, made, **options)
    return made


def raw_token(handler: HandlerInterface, decode: Callable[[str], Decoded]) -> tuple[int | None, bytes, float]:
    """Return the version, the unmasked token and its time of issue. A token that is not from the cookie is
    new and has the version None.

    :param decode: decodes the cookie, as `decode_token` does.
    """
    name = handler.application.settings.get("xsrf_cookie_name", "_xsrf")
    cookie = handler.get_cookie(name)
    version, raw, timestamp = decode(cookie) if cookie else (None, None, None)
    if not raw or timestamp is None:
        return None, os.urandom(_TOKEN_BYTES), time.time()
    return version, raw, timestamp


def decode_token(text: str) -> Decoded:
    """Return version, token and time of a cookie or argument; all are None if it is malformed."""
    value = utf8(text)
    try:
        if b"|" in value:
            version, _, rest = value.partition(b"|")
            if version != b"2":
                return None, None, None
            mask, masked, timestamp = rest.split(b"|")
            raw_mask = binascii.a2b_hex(mask)
            if len(raw_mask) != _MASK_BYTES:
                return None, None, None
            return 2, _websocket_mask(raw_mask, binascii.a2b_hex(masked)), int(timestamp)
        # A version 1 value is the unmasked token in hexadecimal; very old cookies contain it as plain text.
        try:
            raw = binascii.a2b_hex(value)
        except (binascii.Error, TypeError):
            raw = value
        return 1, raw, int(time.time())
    except (ValueError, TypeError) as error:
        gen_log.debug("Uncaught exception in _decode_xsrf_token: %s", error)
        return None, None, None


def check_cookie(
    handler: HandlerInterface,
    decode: Callable[[str], Decoded],
    expected: Callable[[], tuple[Any, bytes, float]],
) -> None:
    """Check that the request repeats the token of its cookie.

    :param decode: decodes the token sent with the request, as `decode_token` does.
    :param expected: returns the token of the cookie, as `raw_token` does.
    :raises HTTPError: (403) if the token is missing or different.
    """
    headers = handler.request.headers
    given = handler.get_argument("_xsrf", None) or headers.get("X-Xsrftoken") or headers.get("X-Csrftoken")
    if not given:
        raise HTTPError(403, "'_xsrf' argument missing from POST")
    _, sent, _ = decode(given)
    _, token, _ = expected()
    if not sent:
        raise HTTPError(403, "'_xsrf' argument has invalid format")
    if not hmac.compare_digest(utf8(sent), utf8(token)):
        raise HTTPError(403, "XSRF cookie does not match POST argument")
