"""The setting ``security_headers``: header fields that restrict what browsers do with responses.

::

    Application(routes, security_headers=True)
    Application(routes, security_headers={
        "content_security_policy": "script-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'",
        "hsts_max_age": None,
    })

The fields are part of every response of a `RequestHandler`: pages, files, redirects, error pages. They are
set before the handler runs, so that ``set_header`` and ``clear_header`` override them. Responses that are not
from a handler do not have them: those of a `FallbackHandler`'s application, and those to the few requests
that the server rejects because they cannot be parsed.

Nonces
    If the policy contains ``{nonce}``, templates write ``<script nonce="{{ csp_nonce }}">`` and handlers use
    `RequestHandler.csp_nonce`; scripts and styles of UI modules have the nonce automatically. A new nonce is
    generated for each response that uses one. In other responses, the source with the nonce is removed from
    the policy, so that no inline script or style runs.

All fields are formatted when the application is created.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tornado.httputil import HTTPHeaders
from tornado.web._execution._response import ResponseOwner, response_of, security_of

YEAR = 365 * 86400

_CSP = "Content-Security-Policy"
_CSP_REPORT = "Content-Security-Policy-Report-Only"
_PLACEHOLDER = "{nonce}"
_NONCE_SOURCE = re.compile(r"\s+'nonce-\{nonce\}'(?=[\s;,]|$)")
_PLACEHOLDER_LIKE = re.compile(r"\{\s*nonce\s*\}", re.IGNORECASE)
_FRAME_ANCESTORS = re.compile(r"(?:^|;)\s*frame-ancestors\s+([^;]+)", re.IGNORECASE)
_KEYWORDS = {"self": "'self'", "none": "'none'"}
_FRAME_OPTIONS = {"'self'": "SAMEORIGIN", "'none'": "DENY"}
_SENDABLE = re.compile(r"[\x20-\x7e]+")
_MIN_PRELOAD_AGE = YEAR  # https://hstspreload.org
#: Fields that `extra` must not contain, because there is an argument for them or they are set for each
#: response.
_ARGUMENTS = {
    _CSP: "content_security_policy",
    _CSP_REPORT: "content_security_policy_report_only",
    "Strict-Transport-Security": "hsts_max_age",
}
_FORBIDDEN_EXTRA = frozenset(
    """
    Connection Content-Encoding Content-Length Content-Range Keep-Alive Proxy-Connection Set-Cookie Te Trailer
    Transfer-Encoding Upgrade
    """.split()
)


class SecurityHeaders:
    """The header fields that the setting ``security_headers`` adds to every response. Pass an instance in
    place of True to change them.

    An argument of None omits the field.

    :param content_security_policy: the policy, in which ``'nonce-{nonce}'`` is replaced by the nonce of the
        response. By default, or if it is empty, no policy is sent, because the right one depends on the
        program.
    :param content_security_policy_report_only: a policy that browsers report but do not enforce.
    :param frame_ancestors: the pages that may embed these pages in a frame: ``'self'``, ``'none'``, or
        sources as in the policy, as text separated by spaces or as a list. The value is added to the policy;
        ``'self'`` and ``'none'`` are also sent as X-Frame-Options.
    :param referrer_policy: how much of the URL of a page is sent to other sites.
    :param opener_policy: whether windows of other sites may keep a reference to a window of this site.
    :param resource_policy: the sites that may embed resources of this application; no field by default.
    :param permissions_policy: the browser features that pages may use, as in ``"camera=()"``.
    :param hsts_max_age: how long browsers access this host only by HTTPS, in seconds. The field is sent over
        HTTPS only (as reported by the server, or with ``xheaders`` by its proxy). 0 revokes an earlier value.
    :param hsts_include_subdomains: whether `hsts_max_age` applies to all subdomains too.
    :param hsts_preload: whether to consent to inclusion in the preload lists of browsers. This is hard to
        revoke.
    :param extra: further fields by name, which override the defaults. It must not contain fields for which
        there is an argument, nor those for framing, connection or cookies.
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
            for name, text in ((_CSP, policy), (_CSP_REPORT, _nonempty(content_security_policy_report_only)))
            if text is not None
        }
        #: Whether a policy contains a nonce.
        self.has_nonce: bool = any(_PLACEHOLDER in text for text in self._policies.values())
        plain = {name: _checked(name, text) for name, text in fields.items() if text is not None}
        plain.update(self.policies(None))
        hsts = _strict_transport(hsts_max_age, hsts_include_subdomains, hsts_preload)
        secure = plain if hsts is None else {**plain, "Strict-Transport-Security": hsts}
        # The fields for HTTP and those for HTTPS.
        self._fields = (plain, secure)
        self._blocks = tuple(HTTPHeaders(each)._serialize() for each in self._fields)
        self._cache: list[tuple[HTTPHeaders, HTTPHeaders] | None] = [None, None]

    def block(self, request: Any) -> bytes:
        """Return the serialized fields, for a response whose headers have not been accessed."""
        return self._blocks[bool(request.protocol == "https")]

    def policies(self, nonce: str | None) -> dict[str, str]:
        """Return the policies by field name. If `nonce` is None, its source is removed from them."""
        if nonce is None:
            return {name: _NONCE_SOURCE.sub("", text) for name, text in self._policies.items()}
        return {name: text.replace(_PLACEHOLDER, nonce) for name, text in self._policies.items()}

    def headers(self, base: HTTPHeaders, handler: Any) -> HTTPHeaders:
        """Return the initial headers of a handler: the fields of `base` and the security headers. The result
        is cached until `base` is replaced, which happens once per second.
        """
        by_https = getattr(handler.request, "protocol", "http") == "https"
        cached = self._cache[by_https]
        if cached is None or cached[0] is not base:
            merged = base.copy()
            merged.update(self._fields[by_https])
            cached = self._cache[by_https] = base, merged
        headers = cached[1].copy()
        nonce = handler.__dict__.get("_csp_nonce")
        if nonce is not None and self.has_nonce:
            headers.update(self.policies(nonce))
        return headers

    def add_nonce(self, headers: HTTPHeaders, nonce: str) -> None:
        """Add the nonce to the policies in `headers` that have not been changed."""
        unchanged = self.policies(None)
        for name, text in self.policies(nonce).items():
            if headers.get(name) == unchanged[name]:
                headers[name] = text


def _extra(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of `extra`, with their names in the canonical spelling."""
    if not isinstance(fields, Mapping):
        raise ValueError(f"security_headers: extra must be a dict of header fields by name, got {fields!r}")
    normal: dict[str, str] = {}
    for given, text in fields.items():
        name = next(iter(HTTPHeaders({given: ""})))
        if name in _ARGUMENTS:
            raise ValueError(f"security_headers: extra must not contain {name}; use {_ARGUMENTS[name]}")
        if name in _FORBIDDEN_EXTRA:
            raise ValueError(f"security_headers: extra must not contain {name}, which each response sets")
        normal[name] = text
    return normal


def _nonempty(policy: str | None) -> str | None:
    """Return a policy, or None if it is empty, as it may be in forms and settings files."""
    return None if policy is None or (isinstance(policy, str) and not policy.strip()) else policy


def _policy(name: str, text: str) -> str:
    """Return a policy after checking that each nonce in it is written correctly."""
    if _PLACEHOLDER_LIKE.search(_NONCE_SOURCE.sub("", _checked(name, text))):
        raise ValueError(
            f"security_headers: the nonce in {name} must be written as a separate source 'nonce-{{nonce}}', "
            f"including the quotes, got {text!r}"
        )
    return text


def _with_frames(policy: str | None, ancestors: str | Sequence[str] | None) -> tuple[str | None, str | None]:
    """Return the policy with frame-ancestors, and the value of X-Frame-Options."""
    policy = _nonempty(policy)
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
            f"security_headers: frame_ancestors must be 'self', 'none' or sources separated by spaces, "
            f"got {ancestors!r}"
        )
    options = _FRAME_OPTIONS.get(ancestors)
    if policy is not None:
        return f"{policy.rstrip('; ')}; frame-ancestors {ancestors}", options
    return (None if options else f"frame-ancestors {ancestors}"), options


def _sources(ancestors: Any) -> str:
    """Return the sources as one str, with the keywords quoted."""
    listed = list(ancestors) if isinstance(ancestors, (list, tuple)) else [ancestors]
    if not listed or not all(isinstance(each, str) for each in listed):
        raise ValueError(
            f"security_headers: frame_ancestors must be 'self', 'none' or sources, as a str or a list of "
            f"str, got {ancestors!r}"
        )
    return " ".join(_KEYWORDS.get(each, each) for each in listed)


def _strict_transport(max_age: int | None, subdomains: bool, preload: bool) -> str | None:
    """Return the value of Strict-Transport-Security (RFC 6797 section 6.1)."""
    if max_age is None:
        return None
    if not isinstance(max_age, int) or isinstance(max_age, bool) or max_age < 0:
        raise ValueError(f"security_headers: hsts_max_age must be a number of seconds, got {max_age!r}")
    if preload and (not subdomains or max_age < _MIN_PRELOAD_AGE):
        raise ValueError(
            "security_headers: hsts_preload requires hsts_include_subdomains=True and an hsts_max_age of "
            f"{_MIN_PRELOAD_AGE} or more"
        )
    return f"max-age={max_age}{'; includeSubDomains' if subdomains else ''}{'; preload' if preload else ''}"


def _checked(name: str, text: str) -> str:
    if not isinstance(text, str) or _SENDABLE.fullmatch(text) is None:
        raise ValueError(f"security_headers: {name} must be one line of printable ASCII, got {text!r}")
    return text


def headers_of(setting: Any) -> SecurityHeaders | None:
    """Return the header fields for a value of the setting ``security_headers``.

    :raises TypeError: if it is not True, False, None, a `SecurityHeaders` or a mapping of its arguments.
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
    raise TypeError(
        f"the setting security_headers must be True, a dict or a SecurityHeaders, got {setting!r}"
    )


# -- nonces --


def nonce(handler: ResponseOwner) -> str:
    """Return the nonce of a handler's response, 128 random bits generated on the first call, and add it to
    the policy.
    """
    response = response_of(handler)
    made: str | None = handler.__dict__.get("_csp_nonce")
    security = security_of(handler)
    in_policy = security is not None and security.has_nonce
    if made is None:
        if in_policy and response.state.head_sent:
            raise RuntimeError(
                "csp_nonce was first read after the header fields were sent, so the policy does not contain "
                "it; read it before the first flush()"
            )
        made = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
        handler.__dict__["_csp_nonce"] = made
    if security is not None and in_policy and not response.state.head_sent:
        # The nonce is added even if it already exists, because an error page has new headers.
        security.add_nonce(response.headers(handler), made)
    return made


class Nonce:
    """The value of ``csp_nonce`` in templates. The nonce is generated when it is rendered, so a page that
    does not use it has no nonce.
    """

    __slots__ = ("_handler",)

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __str__(self) -> str:
        return str(self._handler.csp_nonce)


def attribute(handler: Any) -> str:
    """Return the nonce attribute of a script or style element, or "" if the policy has no nonce."""
    security = security_of(handler)
    if security is None or not security.has_nonce:
        return ""
    return f' nonce="{handler.csp_nonce}"'
