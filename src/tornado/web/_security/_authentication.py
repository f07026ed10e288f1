"""Authentication of API clients: challenges, bearer tokens (RFC 6750), and the errors of `authenticated`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tornado._wire import challenges as _challenges
from tornado._wire.bearer import InvalidBearerCredentials, bearer_token
from tornado.log import app_log
from tornado.web._errors import HTTPError

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

# RFC 6750 section 3.1
_STATUS = {"invalid_request": 400, "invalid_token": 401, "insufficient_scope": 403}


def format_challenge(scheme: str, **params: str) -> str:
    """Return a value for ``WWW-Authenticate`` (RFC 9110 section 11.6.1): the scheme, and the parameters as
    quoted strings.

    ::

        format_challenge("Basic", realm="stock")    # Basic realm="stock"

    :raises ValueError: if a value has a control character or is not ASCII.
    """
    return _challenges.format_challenge(scheme, params)


class AuthenticationError(HTTPError):
    """Rejects a request without valid credentials, with ``WWW-Authenticate`` (RFC 9110 section 11.6.1).

    ::

        raise AuthenticationError("invalid_token", "The token has expired.")

    :param error: a code of RFC 6750 section 3.1: ``"invalid_token"``, ``"invalid_request"``,
        ``"insufficient_scope"``, or a code that another scheme defines. With None, the default, no code is
        sent; use it for a request without credentials.
    :param description: a sentence for the developer of the client, in printable ASCII. It is sent as
        ``error_description`` in the challenge and as ``public_message`` in the error page. An error with a
        code or a description is logged.
    :param scheme: the scheme of the challenge.
    :param realm: the name of the protected area; by default `RequestHandler.authentication_realm` of the
        handler that raises the error.
    :param scope: the scopes that the request needs, separated by spaces, or None.
    :param status_code: by default 400 for ``invalid_request``, 403 for ``insufficient_scope``, otherwise 401.
    :param challenges: values of ``WWW-Authenticate`` to send instead (see `format_challenge`), each in a
        separate field line.
    :raises TypeError: if `challenges` is a str.
    :raises ValueError: if a value cannot be part of a challenge.

    The scheme Basic requires a realm (RFC 7617 section 2). Without one, an empty realm is sent and an error
    is logged.
    """

    def __init__(
        self,
        error: str | None = None,
        description: str | None = None,
        *,
        scheme: str = "Bearer",
        realm: str | None = None,
        scope: str | None = None,
        status_code: int | None = None,
        challenges: Sequence[str] | None = None,
    ) -> None:
        if status_code is None:
            status_code = 401 if error is None else _STATUS.get(error, 401)
        reason = ": ".join(each for each in (error, description) if each)
        super().__init__(status_code, "%s credentials refused: %s" if reason else None, scheme, reason)
        self.public_message = description
        if challenges is None:
            given = {"realm": realm, "scope": scope, "error": error, "error_description": description}
            params = {name: value for name, value in given.items() if value is not None}
            if realm is None:
                self._challenge_without_realm = scheme, params
                if _requires_realm(scheme):
                    params = {"realm": "", **params}
            challenges = [_challenges.format_challenge(scheme, params)]
        elif isinstance(challenges, str):
            raise TypeError(f"challenges must be a list of field values, got {challenges!r:.100}")
        self.www_authenticate: Sequence[str] = tuple(challenges)

    _challenge_without_realm: tuple[str, dict[str, str]] | None = None

    def lacks_realm(self) -> bool:
        """Whether the scheme requires a realm, and none has been set."""
        return self._challenge_without_realm is not None and _requires_realm(self._challenge_without_realm[0])

    def set_default_realm(self, realm: str) -> None:
        """Add the name of the protected area to the challenge, unless the program has chosen it."""
        if self._challenge_without_realm is not None:
            scheme, params = self._challenge_without_realm
            self.www_authenticate = (_challenges.format_challenge(scheme, {"realm": realm, **params}),)


def _requires_realm(scheme: str) -> bool:
    """Whether a challenge of the scheme requires a realm (RFC 7617 section 2)."""
    return scheme.lower() == "basic"


def _missing_realm(handler: HandlerInterface) -> str:
    """Return the message for a challenge that requires a realm and has none."""
    return (
        "the scheme Basic requires a realm (RFC 7617 section 2): set authentication_realm in "
        f"{type(handler).__name__}, or pass realm="
    )


def challenges_of(error: HTTPError, handler: HandlerInterface) -> Sequence[str]:
    """Return the values of ``WWW-Authenticate`` of an error, with the realm of the handler as the default."""
    if isinstance(error, AuthenticationError):
        if handler.authentication_realm is not None:
            error.set_default_realm(handler.authentication_realm)
        elif error.lacks_realm():
            app_log.error("%s: %s", type(error).__name__, _missing_realm(handler))
    return error.www_authenticate


def token_of(handler: HandlerInterface) -> str | None:
    """Return the bearer token of a request, or None if it has none.

    :raises AuthenticationError: if the Authorization field is malformed.
    """
    headers: Mapping[str, str] = handler.request.headers
    field = headers.get("Authorization")
    if field is None:
        return None
    try:
        return bearer_token(field)
    except InvalidBearerCredentials as error:
        raise AuthenticationError(error.code, str(error), realm=handler.authentication_realm) from None


def uses_bearer_token(handler: HandlerInterface) -> bool:
    """Whether a handler declares the scheme Bearer and its request uses it.

    Forms and links of another site cannot send such a request, and scripts of another site need a CORS
    preflight first.
    """
    scheme = handler.authentication_scheme
    if scheme is None or scheme.lower() != "bearer":
        return False
    field = handler.request.headers.get("Authorization")
    if field is None:
        return False
    try:
        return bearer_token(field) is not None
    except InvalidBearerCredentials:
        return False


def missing_user_error(
    handler: HandlerInterface, scheme: str, realm: str | None, scope: str | None
) -> AuthenticationError:
    """Return the error for a request that has no user.

    If a token was sent, it did not identify a user and is reported as invalid. Without a token no error code
    is sent (RFC 6750 section 3.1).

    :raises ValueError: if the scheme requires a realm and `realm` is None.
    """
    if realm is None and _requires_realm(scheme):
        raise ValueError(_missing_realm(handler))
    is_bearer = scheme.lower() == "bearer"
    error = "invalid_token" if is_bearer and token_of(handler) is not None else None
    return AuthenticationError(error, scheme=scheme, realm=realm, scope=scope or None)


def missing_scope_error(
    handler: HandlerInterface, realm: str | None, required: Iterable[str]
) -> AuthenticationError:
    """Return the error for a user whose token does not have all `required` scopes."""
    scope = " ".join(required)
    description = f"The token needs the scope {scope}"
    return AuthenticationError("insufficient_scope", description, realm=realm, scope=scope)
