"""The base of all resources: JSON in, JSON out, errors, authentication."""

from __future__ import annotations

import dataclasses
import http
import json
import math
from typing import Any

from accounts import Accounts, Sessions
from attempts import AttemptLimit
from bookmarks import Bookmarks
from passwords import PasswordHasher
from tokens import AccessTokens, Identity, TokenError

from tornado.web import HTTPError, InvalidBodyError, RequestHandler

#: The maximum size of a request body in bytes.
MAX_BODY = 64 * 1024
#: Seconds after which a client may try again when the server is too busy.
BUSY_DELAY = 2

UNSEEN_NAMES = 5
JSON = "application/json"


@dataclasses.dataclass(frozen=True)
class Services:
    """The parts that all handlers share.

    :ivar logins: limits the failed logins of one name from one address.
    :ivar guests: limits the registrations and failed logins from one address.
    """

    accounts: Accounts
    sessions: Sessions
    bookmarks: Bookmarks
    passwords: PasswordHasher
    tokens: AccessTokens
    logins: AttemptLimit
    guests: AttemptLimit


class TooManyAttempts(HTTPError):
    """The client must wait before another attempt (429).

    :ivar retry_after: the time to wait in seconds.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(429, "rate limit", public_message="Too many attempts, try again later.")
        self.retry_after = math.ceil(retry_after)


class InvalidFields(HTTPError):
    """The body is JSON with invalid content (422).

    :ivar fields: what is wrong with each field, by its name.
    """

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(422, "invalid fields: %s", ", ".join(fields), public_message="Validation failed.")
        self.fields = fields


class Resource(RequestHandler):
    """A resource of the API. An error is ``{"error": "text"}``, with ``fields`` if the status is 422."""

    max_body_size = MAX_BODY
    authentication_scheme = "Bearer"
    authentication_realm = "bookmarks"

    @property
    def services(self) -> Services:
        """The parts that all handlers share."""
        services: Services = self.settings["services"]
        return services

    @property
    def identity(self) -> Identity:
        """The claims of the access token, in methods with ``@authenticated``."""
        identity: Identity = self.current_user
        return identity

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", JSON)
        # Responses are specific to one user, and can change at any time.
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")

    def get_current_user(self) -> Identity | None:
        """Return the claims of the access token, or None."""
        token = self.get_bearer_token()
        if token is None:
            return None
        try:
            identity = self.services.tokens.verify(token)
        except TokenError:
            return None
        return None if self.services.sessions.is_ended(identity.session_id) else identity

    def write_json(self, value: object, status: int = 200) -> None:
        """Send a JSON value of any type; `write` only accepts objects, because of a flaw in old browsers."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.write(json.dumps(value, ensure_ascii=False) + "\n")

    def json_object(self) -> dict[str, Any]:
        """Return the object in the body.

        :raises InvalidBodyError: if the body is not a JSON object.
        """
        value = self.get_json_body()
        if not isinstance(value, dict):
            raise InvalidBodyError("expected a JSON object")
        return value

    def strings(self, *names: str) -> tuple[str, ...]:
        """Return the members of the object in the body, which must all be present and be strings.

        :raises InvalidFields: if a member is missing, unknown or not a string.
        """
        value = self.json_object()
        errors = {
            name: "is not an accepted field" for name in list(value)[:UNSEEN_NAMES] if name not in names
        }
        errors |= {name: "must be a string" for name in names if not isinstance(value.get(name), str)}
        errors |= {name: "is missing" for name in names if name not in value}
        if errors:
            raise InvalidFields(errors)
        return tuple(value[name] for name in names)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        message = getattr(error, "public_message", None)
        body: dict[str, object] = {"error": message or http.HTTPStatus(status_code).phrase}
        if isinstance(error, InvalidFields):
            body["fields"] = error.fields
        if isinstance(error, TooManyAttempts):
            self.set_header("Retry-After", str(error.retry_after))
        elif status_code == 503:
            self.set_header("Retry-After", str(BUSY_DELAY))
        self.set_header("Cache-Control", "no-store")
        self.write_json(body, status_code)


class UnknownResource(Resource):
    """The response to every path without a resource."""

    def prepare(self) -> None:
        raise HTTPError(404)
