"""`AuthError`, the error of all login mixins."""

from __future__ import annotations


class AuthError(Exception):
    """Raised when a provider rejects a login or its response cannot be trusted.

    The message names the provider and the step that failed. It never contains a token, a code or a secret.
    """
