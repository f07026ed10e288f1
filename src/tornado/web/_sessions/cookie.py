"""Sessions in signed cookies: nothing is kept on the server."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Self

from tornado.web._sessions.store import SessionRecord, SessionStore, SessionTooLargeError
from tornado.web._signed_values import create_signed_value, decode_signed_value

# RFC 6265 section 6.1: browsers keep cookies of 4,096 bytes, attributes included, for which this leaves room.
_MAX_TOKEN = 3800
#: Days after which no signature is read. The session's own ages are shorter.
_SIGNATURE_DAYS = 36500


class CookieSessionStore(SessionStore):
    """Keeps sessions in the browser's cookies, signed with the setting ``cookie_secret``: the default.

    The client cannot change the values, but can read them: they are signed, not encrypted. A session has at
    most about 2,700 bytes. A cookie stays valid until it expires: it cannot be revoked, so a copy that was
    made before a logout still works. Of concurrent responses, the last one counts as a whole. If that is not
    acceptable, use a store on the server.
    """

    __module__ = "tornado.web"  # its public address

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
                "or keep sessions on the server with the setting session_store"
            )
        return secret

    def _name(self) -> str:
        """The name that is signed too: a cookie of another kind is not a session."""
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
                f"the session takes {len(token)} bytes as a cookie, at most {_MAX_TOKEN} are possible: "
                "keep less in the session, or keep sessions on the server with the setting session_store"
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
        """Do nothing: copies of the cookie cannot be revoked."""
