"""Collection of secrets: the values in an application's settings and a request that have secret names."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote_plus

from tornado.escape import xhtml_escape
from tornado.web._redaction._secret_names import is_secret_name

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

# The minimum length, in characters. A shorter value would occur in too much unrelated text.
_MIN_LENGTH = 4
# The minimum length of values that are not necessarily secret, such as cookies.
_MIN_COOKIE_LENGTH = 8
_COMMON_WORDS = frozenset({"true", "false", "null", "none", "undefined"})
_MAX_VALUES = 200
_MAX_VALUE_LENGTH = 8192
_MAX_BODY_LENGTH = 2**20
_MAX_DEPTH = 4


class SecretValues:
    """A bounded collection of secret values.

    :ivar values: the secrets, as text or bytes.
    :ivar pairs: secret arguments as sent, ``name=value``. Their values may be too short to be searched for
        without the name.
    """

    def __init__(self) -> None:
        self.values: dict[str | bytes, None] = {}
        self.pairs: dict[str, None] = {}

    @classmethod
    def of(cls, handler: HandlerInterface) -> SecretValues:
        """Collect the secrets of a handler's application and request."""
        found = cls()
        for part in _PARTS:
            # A body may be malformed, and the request object of a test may lack attributes.
            try:
                part(handler, found)
            except Exception:
                pass
        return found

    def add(self, value: object, min_length: int = _MIN_LENGTH) -> None:
        """Add a value if it is a str or bytes object of a suitable length."""
        if isinstance(value, bytes):
            try:
                value = value.decode()
            except UnicodeDecodeError:
                pass
        if not isinstance(value, (str, bytes)) or not min_length <= len(value) <= _MAX_VALUE_LENGTH:
            return
        if len(self.values) < _MAX_VALUES and value.lower() not in _COMMON_WORDS:
            self.values[value] = None

    def walk(self, value: object, secret: bool = False, depth: int = 0) -> None:
        """Add the secrets in the value of a setting or in decoded JSON.

        :param secret: whether the value itself has a secret name, so that all its items are secret.
        """
        if isinstance(value, Mapping):
            if depth < _MAX_DEPTH:
                for name, item in list(value.items())[:_MAX_VALUES]:
                    self.walk(item, secret or is_secret_name(name), depth + 1)
        elif isinstance(value, (list, tuple, set, frozenset)):
            if depth < _MAX_DEPTH:
                for item in list(value)[:_MAX_VALUES]:
                    self.walk(item, secret, depth + 1)
        elif secret:
            self.add(value)

    def add_pairs(self, text: str) -> None:
        """Add the URL-encoded arguments that have secret names."""
        for pair in text.split("&", _MAX_VALUES)[:_MAX_VALUES]:
            name, _, value = pair.partition("=")
            if value and is_secret_name(unquote_plus(name)):
                self.pairs[pair] = None
                self.add(unquote_plus(value))


def forms_of(value: str | bytes) -> list[str]:
    """Return the encodings of a secret in source code, a repr, a URL, JSON and HTML."""
    if isinstance(value, bytes):
        encoded = value
        forms: list[str] = []
    else:
        encoded = value.encode("utf-8", "backslashreplace")
        shown = repr(value)[1:-1]
        in_json = [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
        in_json += [repr(each)[1:-1] for each in in_json]
        forms = [value, shown, ascii(value)[1:-1], xhtml_escape(value), *in_json]
        forms += [each.replace("'", r"\'") for each in (shown, *in_json)]
    plain = base64.b64encode(encoded).decode().rstrip("=")
    forms += [repr(encoded)[2:-1], encoded.hex(), plain, plain.replace("+", "-").replace("/", "_")]
    return [*forms, quote(encoded, safe=""), quote_plus(encoded)]


def _from_settings(handler: HandlerInterface, found: SecretValues) -> None:
    found.walk(handler.settings)


def _from_headers(handler: HandlerInterface, found: SecretValues) -> None:
    for name, value in handler.request.headers.get_all():
        if name.lower() == "referer":
            found.add_pairs(value.partition("?")[2].partition("#")[0])
        if not is_secret_name(name):
            continue
        found.add(value)
        scheme, _, credentials = value.partition(" ")
        if name.lower().endswith("authorization") and credentials:
            found.add(credentials.strip())
            if scheme.lower() == "basic":
                pair = base64.b64decode(credentials).decode("utf-8", "replace")
                found.add(pair.partition(":")[2])


def _from_cookies(handler: HandlerInterface, found: SecretValues) -> None:
    for name, morsel in handler.request.cookies.items():
        min_length = _MIN_LENGTH if is_secret_name(name) else _MIN_COOKIE_LENGTH
        found.add(morsel.value, min_length)
        found.add(morsel.coded_value, min_length)
        if morsel.coded_value:
            found.pairs[f"{name}={morsel.coded_value}"] = None


def _from_address(handler: HandlerInterface, found: SecretValues) -> None:
    found.add_pairs(str(handler.request.uri or "").partition("?")[2])


def _from_path(handler: HandlerInterface, found: SecretValues) -> None:
    for name, value in handler.path_kwargs.items():
        if is_secret_name(name):
            found.add(value)


def _from_arguments(handler: HandlerInterface, found: SecretValues) -> None:
    for name, values in handler.request.arguments.items():
        if is_secret_name(name):
            for value in values:
                found.add(value)


def _from_body(handler: HandlerInterface, found: SecretValues) -> None:
    body: Any = handler.request.body
    kind = handler.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not isinstance(body, bytes) or len(body) > _MAX_BODY_LENGTH:
        return
    if kind == "application/x-www-form-urlencoded":
        found.add_pairs(body.decode("latin-1"))
    elif kind.endswith("json") or body.lstrip()[:1] in (b"{", b"["):
        found.walk(json.loads(body))


_PARTS: list[Callable[[HandlerInterface, SecretValues], None]] = [
    _from_settings,
    _from_headers,
    _from_cookies,
    _from_address,
    _from_path,
    _from_arguments,
    _from_body,
]

__all__ = ["SecretValues", "forms_of"]
