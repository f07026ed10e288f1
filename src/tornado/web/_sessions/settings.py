"""The settings of an application for its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado._wire.cookies import is_cookie_name
from tornado.web._sessions.cookie import CookieSessionStore
from tornado.web._sessions.store import SessionRecord, SessionStore

if TYPE_CHECKING:
    from tornado.web._interfaces import ApplicationInterface

_DAY = 86400
#: The attribute of an application that holds its `SessionSettings`.
_ATTRIBUTE = "_session_policy"
#: The default attributes of the cookie, which the setting ``session_cookie_kwargs`` overrides.
_ATTRIBUTES = {"path": "/", "httponly": True, "samesite": "Lax"}


class SessionSettings:
    """The validated session settings of an application.

    :param settings: the settings of the application. Only those with the prefix ``session_`` are used.
    :raises TypeError: if a setting has the wrong type. The message names the setting.
    :raises ValueError: if a setting has an invalid value. The message names the setting.

    :ivar store: the session store.
    :ivar is_asynchronous: whether the store is asynchronous.
    :ivar idle_timeout: the time in seconds after which an unused session ends.
    :ivar lifetime: the maximum age of a session in seconds.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        store = settings.get("session_store")
        if store is None:
            store = CookieSessionStore()
        elif not isinstance(store, SessionStore):
            raise TypeError(
                f"the setting session_store must be a SessionStore, such as RedisSessionStore(url), "
                f"got {store!r:.100}"
            )
        self.store: SessionStore = store.bind(settings)
        self.is_asynchronous: bool = self.store.is_asynchronous
        self.idle_timeout: float = _seconds(
            "session_idle_timeout", settings.get("session_idle_timeout"), 14 * _DAY
        )
        self.lifetime: float = _seconds("session_lifetime", settings.get("session_lifetime"), 30 * _DAY)
        name = settings.get("session_cookie_name")
        if name is not None and not (isinstance(name, str) and is_cookie_name(name)):
            raise ValueError(
                f"the setting session_cookie_name must be a valid cookie name, got {name!r:.100}"
            )
        self._name: str | None = name
        attributes = settings.get("session_cookie_kwargs") or {}
        if not isinstance(attributes, Mapping):
            raise TypeError(
                f"the setting session_cookie_kwargs must be a dict of arguments for set_cookie, "
                f"got {attributes!r:.100}"
            )
        self._attributes = {**_ATTRIBUTES, **attributes}

    def cookie(self, protocol: str) -> tuple[str, dict[str, Any]]:
        """Return the name and the attributes of the cookie.

        The default name of a cookie with ``Secure`` has the prefix ``__Host-``, so that browsers do not
        accept the cookie from another host of the domain.

        :param protocol: the protocol of the request, ``"http"`` or ``"https"``.
        """
        attributes = {"secure": protocol == "https", **self._attributes}
        if self._name is not None:
            return self._name, attributes
        own_host = attributes["secure"] and attributes["path"] == "/" and not attributes.get("domain")
        return "__Host-session" if own_host else "session", attributes

    def remaining(self, record: SessionRecord, now: float) -> float:
        """Return the time in seconds until a session ends; zero or negative if it has ended."""
        return min(record.used + self.idle_timeout, record.created + self.lifetime) - now


def _seconds(name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"the setting {name} must be a positive number of seconds, got {value!r:.100}")
    return value


def policy_of(application: ApplicationInterface) -> SessionSettings:
    """Return the session settings of an application, which are validated and cached at the first call."""
    attributes = vars(application)
    policy: SessionSettings | None = attributes.get(_ATTRIBUTE)
    if policy is None:
        policy = attributes[_ATTRIBUTE] = SessionSettings(application.settings)
    return policy
