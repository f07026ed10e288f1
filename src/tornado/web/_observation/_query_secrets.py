"""Removal of secrets from the queries in spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from tornado.web._redaction._secret_names import is_secret_name

__all__ = ["QuerySecrets"]

#: The parameters that the semantic conventions of OpenTelemetry for URLs name: those of signed URLs.
_NAMES = frozenset(
    """AWSAccessKeyId Signature sig X-Goog-Signature X-Amz-Credential X-Amz-Security-Token
    X-Amz-Signature""".split()
)
_REDACTED = "REDACTED"


class QuerySecrets:
    """The names of secret parameters: those of the conventions, those that suggest a secret, and given ones.

    :param names: further names, which are case-sensitive.
    :raises TypeError: if they are not a collection of strings.
    """

    def __init__(self, names: Any = ()) -> None:
        self._names = set(_NAMES)
        self.add(names)

    def add(self, names: Any) -> None:
        """Add names."""
        wrong = isinstance(names, (str, bytes)) or not isinstance(names, Iterable)
        found: list[Any] = [names] if wrong else list(names)
        for name in found:
            if wrong or not isinstance(name, str):
                raise TypeError(
                    f"opentelemetry_secrets must be a list of names of query parameters, got {name!r:.100}"
                )
        self._names.update(found)

    def scrub(self, query: str) -> str:
        """Return a query, or a fragment, in which the values of secret parameters are ``REDACTED``."""
        if "=" not in query:
            return query
        return "&".join([self._scrub_pair(pair) for pair in query.split("&")])

    def _scrub_pair(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        decoded = unquote_plus(name)
        if value and (decoded in self._names or is_secret_name(decoded)):
            return f"{name}{equals}{_REDACTED}"
        return pair
