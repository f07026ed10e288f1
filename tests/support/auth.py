"""The methods of `tornado.auth` with private names that programs define, and tests call."""

from __future__ import annotations

from typing import Any

from tornado.auth import OAuthMixin


def consumer_token(handler: Any) -> dict[str, Any]:
    """Return the consumer token of a handler."""
    token: dict[str, Any] = handler._oauth_consumer_token()
    return token


def undefined_consumer_token(handler: Any) -> dict[str, Any]:
    """Call the method for the consumer token of a handler whose program does not define it."""
    return OAuthMixin._oauth_consumer_token(handler)
