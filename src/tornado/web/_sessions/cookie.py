"""A session store that keeps the values in signed cookies and nothing on the server."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Self

from tornado.web._security._signed_values import create_signed_value, decode_signed_value
from tornado.web._sessions.store import SessionRecord, SessionStore, SessionTooLargeError

# RFC 6265 section 6.1: browsers accept cookies of at least 4,096 bytes, including the attributes. A token of
# this size leaves about 300 bytes for the attributes.
_MAX_TOKEN = 3800
#: The maximum age of a signature in days. The time limits of a session are shorter and are checked
#: separately.
_SIGNATURE_DAYS = 36500


class CookieSessionStore(SessionStore):
    """The default store, which keeps sessions in cookies signed with the setting ``cookie_secret``.

    The client can read the values but not change them: they are signed, not encrypted. A session can have at
    most about 2,700 bytes. A cookie is valid until it expires and cannot be revoked, so a copy made before a
    logout is still accepted. If several requests of a session run concurrently, the last response replaces
    the whole session. If that is not acceptable, use a store on the server.
    """

    __module__ = "tornado.web"  # the module that exports this class

    max_size = _MAX_TOKEN

    def __init__(self) -> None:
        self._settings: Mapping[str, Any] = {}

    def bind(self, settings: Mapping[str, Any]) -> Self:
        bound = type(self)()
        bound._settings = settings
        return bound

    def _secret(self) -> Any:
        secret = self._settings.get("cookie_secret")
        if not secret:
            raise Exception(
                "You must define the 'cookie_secret' setting in your application to use sessions in cookies, "
                "or store sessions on the server with the setting session_store"
            )
        return secret

    def _name(self) -> str:
        """Return the name included in the signature. It differs from the names of other signed cookies."""
        return f"tornado.{self._settings.get('session_cookie_name') or 'session'}"

    def load(self, token: str) -> SessionRecord | None:
        secret = self._secret()
        signed = decode_signed_value(secret, self._name(), token, max_age_days=_SIGNATURE_DAYS, min_version=2)
        if signed is None:
            return None
        created, used, values = json.loads(signed)
        texts = {name: json.dumps(value, separators=(",", ":")) for name, value in values.items()}
        return SessionRecord(texts, created, used)

    def create(self, record: SessionRecord, seconds: float) -> str:
        secret = self._secret()
        version = self._settings.get("key_version") if isinstance(secret, dict) else None
        members = ",".join(f"{json.dumps(name)}:{text}" for name, text in record.values.items())
        text = f"[{record.created:.0f},{record.used:.0f},{{{members}}}]"
        token = create_signed_value(secret, self._name(), text, key_version=version).decode()
        if len(token) > _MAX_TOKEN:
            raise SessionTooLargeError(
                f"the session needs {len(token)} bytes as a cookie, at most {_MAX_TOKEN} are allowed: "
                "store less in the session, or store sessions on the server with the setting session_store"
            )
        return token

    def update(
        self,
        token: str,
        record: SessionRecord,
        changed: Collection[str],
        removed: Collection[str],
        seconds: float,
    ) -> str:
        return self.create(record, seconds)

    def delete(self, token: str) -> None:
        """Do nothing, because a cookie cannot be revoked."""
