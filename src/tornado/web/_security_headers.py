"""The setting ``security_headers``: what tells browsers to be careful with an application's responses.

::

    Application(routes, security_headers=True)
    Application(routes, security_headers={
        "content_security_policy": "script-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'",
        "hsts_max_age": None,
    })

They go with every response of a `RequestHandler`: pages, files, redirects, error pages. They stand among a
handler's headers from the beginning, so that ``set_header`` and ``clear_header`` have the last word.
What is not a handler's is without them: a `FallbackHandler`'s other application, and the few requests that a
server refuses itself because they cannot be parsed.

Nonces
    Where the policy has ``{nonce}`` in it, templates write ``<script nonce="{{ csp_nonce }}">`` and handlers
    have `RequestHandler.csp_nonce`; UI modules' scripts and styles bear it by themselves. It is drawn
    anew for each response that asks for it. A response that does not ask has the policy without that source,
    so that nothing of the kind runs in it.

All fields are put together when the application is made.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

YEAR = 365 * 86400

_CSP = "Content-Security-Policy"
_CSP_REPORT = "Content-Security-Policy-Report-Only"
_PLACE = "{nonce}"
_NONCE_SOURCE = re.compile(r"\s+'nonce-\{nonce\}'(?=[\s;,]|$)")
_LIKE_PLACE = re.compile(r"\{\s*nonce\s*\}", re.IGNORECASE)
_FRAME_ANCESTORS = re.compile(r"(?:^|;)\s*frame-ancestors\s+([^;]+)", re.IGNORECASE)
_KEYWORDS = {"self": "'self'", "none": "'none'"}
_FRAME_OPTIONS = {"'self'": "SAMEORIGIN", "'none'": "DENY"}
_SENDABLE = re.compile(r"[\x20-\x7e]+")
_PRELOAD_LEAST = YEAR  # https://hstspreload.org
#: What `extra` may not name: arguments of their own say it, or each response does by itself.
_ARGUMENTS = {
    _CSP: "content_security_policy",
    _CSP_REPORT: "content_security_policy_report_only",
    "Strict-Transport-Security": "hsts_max_age",
}
_NOT_EXTRA = frozenset(
    """
    Connection Content-Encoding Content-Length Content-Range Keep-Alive Proxy-Connection Set-Cookie Te Trailer
    Transfer-Encoding Upgrade
    """.split()
)


class SecurityHeaders:
    """What goes with every response; the value of the setting ``security_headers``, where True will not do.

    None as an argument leaves out its header.

    :param content_security_policy: the policy, where ``'nonce-{nonce}'`` stands for the response's own nonce.
        There is none by default, or with an empty text, as it depends on the program which is right.
    :param content_security_policy_report_only: a policy to be tried out.
    :param frame_ancestors: which pages may frame this one: ``'self'``, ``'none'`` or sources as in the
        policy, to which it is added, as one text with spaces between or as a list; the first two also as
        X-Frame-Options.
    :param referrer_policy: what other sites learn of the address that a link was on.
    :param opener_policy: whether windows of other sites may hold on to this one.
    :param resource_policy: who may embed what this application serves; no header by default.
    :param permissions_policy: which features of the browser pages may use, as in ``"camera=()"``.
    :param hsts_max_age: seconds for which browsers are to ask for this host by HTTPS only; sent by HTTPS
        only (as the server, or with ``xheaders`` its proxy, says). 0 has them forget it.
    :param hsts_include_subdomains: the same for all subdomains.
    :param hsts_preload: consent to the lists that come with browsers; hard to take back.
    :param extra: further headers, by name; they go before those that are there by default. Not those that
        other arguments are for, nor what says where a response ends, what becomes of its connection, or its
        cookies.
    :raises ValueError: if a value cannot be sent, or the arguments contradict each other.
    """

    def __init__(
        self,
        *,
        content_security_policy: str | None = None,
        content_security_policy_report_only: str | None = None,
        frame_ancestors: str | Sequence[str] | None = "'self'",
        referrer_policy: str | None = "strict-origin-when-cross-origin",
        opener_policy: str | None = "same-origin",
        resource_policy: str | None = None,
        permissions_policy: str | None = None,
        hsts_max_age: int | None = YEAR,
        hsts_include_subdomains: bool = False,
        hsts_preload: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        policy, frame_options = _with_frames(content_security_policy, frame_ancestors)
        fields: dict[str, str | None] = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": frame_options,
            "Referrer-Policy": referrer_policy,
            "Cross-Origin-Opener-Policy": opener_policy,
            "Cross-Origin-Resource-Policy": resource_policy,
            "Permissions-Policy": permissions_policy,
            **_extra(extra or {}),
        }
        self._policies = {
            name: _policy(name, text)
            for name, text in ((_CSP, policy), (_CSP_REPORT, _given(content_security_policy_report_only)))
            if text is not None
        }
        #: Whether a policy has a place for the nonce.
        self.has_nonce: bool = any(_PLACE in text for text in self._policies.values())
        plain = {name: _checked(name, text) for name, text in fields.items() if text is not None}
        plain.update(self.policies(None))
        hsts = _strict_transport(hsts_max_age, hsts_include_subdomains, hsts_preload)
        secure = plain if hsts is None else {**plain, "Strict-Transport-Security": hsts}
        # By HTTP, and by HTTPS.
        self._fields = (plain, secure)
        self._blocks = tuple(HTTPHeaders(each)._serialize() for each in self._fields)
        self._kept: list[tuple[HTTPHeaders, HTTPHeaders] | None] = [None, None]

    def block(self, protocol: str) -> bytes:
        """The fields as they are sent, for a response that nobody has touched."""
        return self._blocks[protocol == "https"]

    def policies(self, nonce: str | None) -> dict[str, str]:
        """The policies by the names of their headers; where there is no nonce, without its source."""
        if nonce is None:
            return {name: _NONCE_SOURCE.sub("", text) for name, text in self._policies.items()}
        return {name: text.replace(_PLACE, nonce) for name, text in self._policies.items()}

    def headers(self, base: HTTPHeaders, handler: RequestHandler) -> HTTPHeaders:
        """A handler's first headers: those of `base`, which is the same object for a second, and these."""
        by_https = getattr(handler.request, "protocol", "http") == "https"
        kept = self._kept[by_https]
        if kept is None or kept[0] is not base:
            merged = base.copy()
            merged.update(self._fields[by_https])
            kept = self._kept[by_https] = base, merged
        headers = kept[1].copy()
        nonce = handler.__dict__.get("_csp_nonce")
        if nonce is not None and self.has_nonce:
            headers.update(self.policies(nonce))
        return headers

    def announce(self, headers: HTTPHeaders, nonce: str) -> None:
        """Put the nonce into policies that stand there as they were made."""
        unchanged = self.policies(None)
        for name, text in self.policies(nonce).items():
            if headers.get(name) == unchanged[name]:
                headers[name] = text


def _extra(fields: Mapping[str, str]) -> dict[str, str]:
    """Further fields under their names' usual spelling."""
    if not isinstance(fields, Mapping):
        raise ValueError(f"security_headers: extra is a dict of headers by name, not {fields!r}")
    normal: dict[str, str] = {}
    for given, text in fields.items():
        name = next(iter(HTTPHeaders({given: ""})))
        if name in _ARGUMENTS:
            raise ValueError(f"security_headers: {name} is not for extra; the argument is {_ARGUMENTS[name]}")
        if name in _NOT_EXTRA:
            raise ValueError(f"security_headers: {name} is not for extra, as each response has its own")
        normal[name] = text
    return normal


def _given(policy: str | None) -> str | None:
    """A policy that says something; forms and files of settings have an empty text for none."""
    return None if policy is None or (isinstance(policy, str) and not policy.strip()) else policy


def _policy(name: str, text: str) -> str:
    """A policy in which every place for a nonce will be filled."""
    if _LIKE_PLACE.search(_NONCE_SOURCE.sub("", _checked(name, text))):
        raise ValueError(
            f"security_headers: in {name} the place of the nonce is written 'nonce-{{nonce}}', its quotes "
            f"included, as one source among others; here it is {text!r}"
        )
    return text


def _with_frames(policy: str | None, ancestors: str | Sequence[str] | None) -> tuple[str | None, str | None]:
    """The policy with its say on frames, and the older header's."""
    policy = _given(policy)
    if policy is not None:
        _checked(_CSP, policy)
    own = _FRAME_ANCESTORS.search(policy) if policy is not None else None
    if own is not None:
        return policy, _FRAME_OPTIONS.get(own.group(1).strip().lower())
    if ancestors is None:
        return policy, None
    ancestors = _sources(ancestors)
    if ";" in ancestors or "," in ancestors or not ancestors.strip():
        raise ValueError(
            f"security_headers: frame_ancestors is 'self', 'none' or sources with spaces between, "
            f"not {ancestors!r}"
        )
    options = _FRAME_OPTIONS.get(ancestors)
    if policy is not None:
        return f"{policy.rstrip('; ')}; frame-ancestors {ancestors}", options
    return (None if options else f"frame-ancestors {ancestors}"), options


def _sources(ancestors: Any) -> str:
    """Sources as one text, the keywords in their quotes."""
    listed = list(ancestors) if isinstance(ancestors, (list, tuple)) else [ancestors]
    if not listed or not all(isinstance(each, str) for each in listed):
        raise ValueError(
            f"security_headers: frame_ancestors is 'self', 'none' or sources, a text or a list of texts, "
            f"not {ancestors!r}"
        )
    return " ".join(_KEYWORDS.get(each, each) for each in listed)


def _strict_transport(max_age: int | None, subdomains: bool, preload: bool) -> str | None:
    """A Strict-Transport-Security value (RFC 6797 section 6.1)."""
    if max_age is None:
        return None
    if not isinstance(max_age, int) or isinstance(max_age, bool) or max_age < 0:
        raise ValueError(f"security_headers: hsts_max_age is a number of seconds, not {max_age!r}")
    if preload and (not subdomains or max_age < _PRELOAD_LEAST):
        raise ValueError(
            "security_headers: hsts_preload demands hsts_include_subdomains=True and an hsts_max_age of "
            f"{_PRELOAD_LEAST} or more"
        )
    return f"max-age={max_age}{'; includeSubDomains' if subdomains else ''}{'; preload' if preload else ''}"


def _checked(name: str, text: str) -> str:
    if not isinstance(text, str) or _SENDABLE.fullmatch(text) is None:
        raise ValueError(
            f"security_headers: {name} is one line of printable ASCII, in one piece, not {text!r}"
        )
    return text


def headers_of(setting: Any) -> SecurityHeaders | None:
    """What the setting ``security_headers`` asks for.

    :raises TypeError: if it is none of True, False, None, `SecurityHeaders` and a mapping of its arguments.
    """
    if setting is None or setting is False:
        return None
    if setting is True:
        return SecurityHeaders()
    if isinstance(setting, SecurityHeaders):
        return setting
    if isinstance(setting, Mapping):
        try:
            return SecurityHeaders(**setting)
        except TypeError as error:
            raise TypeError(f"the setting security_headers: {error}") from None
    raise TypeError(f"the setting security_headers is True, a dict or a SecurityHeaders, not {setting!r}")


# -- nonces --


def of(handler: RequestHandler) -> SecurityHeaders | None:
    """What a handler's application asks for; a test's application may know nothing of this."""
    security = getattr(handler.application, "_security", None)
    return security if isinstance(security, SecurityHeaders) else None


def nonce(handler: RequestHandler) -> str:
    """The nonce of a handler's response, 128 bits drawn at the first call; the policy is told of it."""
    made: str | None = handler.__dict__.get("_csp_nonce")
    security = of(handler)
    told = security is not None and security.has_nonce
    if made is None:
        if told and handler._headers_written:
            raise RuntimeError(
                "csp_nonce was asked for after the headers were sent, which should have named it; "
                "ask for it before the first flush()"
            )
        made = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
        handler.__dict__["_csp_nonce"] = made
    if security is not None and told and not handler._headers_written:
        # Also where it is known: an error page has headers of its own.
        security.announce(handler._headers, made)
    return made


class Nonce:
    """``csp_nonce`` in a template: drawn when it is written, and not in pages that do without."""

    __slots__ = ("_handler",)

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler

    def __str__(self) -> str:
        return self._handler.csp_nonce


def attribute(handler: RequestHandler) -> str:
    """What an inline or linked script has to say besides, where the policy goes by nonces."""
    security = of(handler)
    if security is None or not security.has_nonce:
        return ""
    return f' nonce="{handler.csp_nonce}"'
