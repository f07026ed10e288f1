"""The settings of an application that concern its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado._wire.cookies import is_cookie_name
from tornado.web._sessions.cookie import CookieSessionStore
from tornado.web._sessions.store import SessionRecord, SessionStore

if TYPE_CHECKING:
    from tornado.web._application import Application

_DAY = 86400
#: Where an application keeps its policy.
_ATTRIBUTE = "_session_policy"
#: Attributes of the cookie, unless the setting ``session_cookie_kwargs`` has others.
_ATTRIBUTES = {"path": "/", "httponly": True, "samesite": "Lax"}


class SessionSettings:
    """How one application keeps sessions.

    :param settings: of the application; those whose names begin with ``session_``.
    :raises TypeError: naming the setting whose value cannot be used.
    :raises ValueError: likewise.

    :ivar store: where they are kept.
    :ivar is_asynchronous: as of the store.
    :ivar idle_timeout: seconds after which a session that is not used ends.
    :ivar lifetime: seconds after which a session ends in any case.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        store = settings.get("session_store")
        if store is None:
            store = CookieSessionStore()
        elif not isinstance(store, SessionStore):
            raise TypeError(
                f"the setting session_store is a SessionStore, such as RedisSessionStore(url), "
                f"not {store!r:.100}"
            )
        self.store: SessionStore = store.bind(settings)
        self.is_asynchronous: bool = self.store.is_asynchronous
        self.idle_timeout: float = _seconds(
            "session_idle_timeout", settings.get("session_idle_timeout"), 14 * _DAY
        )
        self.lifetime: float = _seconds("session_lifetime", settings.get("session_lifetime"), 30 * _DAY)
        name = settings.get("session_cookie_name")
        if name is not None and not (isinstance(name, str) and is_cookie_name(name)):
            raise ValueError(f"the setting session_cookie_name is the name of a cookie, not {name!r:.100}")
        self._name: str | None = name
        attributes = settings.get("session_cookie_kwargs") or {}
        if not isinstance(attributes, Mapping):
            raise TypeError(
                f"the setting session_cookie_kwargs is a dict of arguments for set_cookie, "
                f"not {attributes!r:.100}"
            )
        self._attributes = {**_ATTRIBUTES, **attributes}

    def cookie(self, protocol: str) -> tuple[str, dict[str, Any]]:
        """Return name and attributes of the cookie.

        Unless the name is set, a cookie that is sent by HTTPS only has the prefix ``__Host-``: browsers
        do not accept such a one from another host of the domain.

        :param protocol: of the request, ``"http"`` or ``"https"``.
        """
        attributes = {"secure": protocol == "https", **self._attributes}
        if self._name is not None:
            return self._name, attributes
        own_host = attributes["secure"] and attributes["path"] == "/" and not attributes.get("domain")
        return "__Host-session" if own_host else "session", attributes

    def remaining(self, record: SessionRecord, now: float) -> float:
        """Return the seconds after which a session ends, zero or less if it has ended."""
        return min(record.used + self.idle_timeout, record.created + self.lifetime) - now


def _seconds(name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"the setting {name} is a positive number of seconds, not {value!r:.100}")
    return value


def policy_of(application: Application) -> SessionSettings:
    """Return an application's policy, made from its settings when it is first asked for."""
    attributes = vars(application)
    policy: SessionSettings | None = attributes.get(_ATTRIBUTE)
    if policy is None:
        policy = attributes[_ATTRIBUTE] = SessionSettings(application.settings)
    return policy
