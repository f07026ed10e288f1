"""Checks of an application's settings, made when the application is created.

A value that can never work is an error that names the setting. A program may store settings of its own under
any name, so an unknown name is reported only where it is probably a misspelling of a known one.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado._setting_names import APPLICATION, closest
from tornado.log import app_log
from tornado.template._whitespace import MODES
from tornado.web._handler import RequestHandler
from tornado.web._static import StaticFileHandler
from tornado.web._uimodules import UIModule

if TYPE_CHECKING:
    from tornado.web._application import Application

#: Bytes below which a cookie secret can be guessed: 16 random ones are 128 bits.
_MIN_SECRET = 16


def check(settings: dict[str, Any], transforms: Any, own_delegates: bool) -> None:
    """See that settings are of types that can work.

    :param transforms: the argument of that name, or None.
    :param own_delegates: whether the application makes its delegates itself, of handlers of any kind.
    :raises TypeError: naming the setting, and what it should be.
    :raises ValueError: likewise, for ``template_whitespace``.
    """
    default = settings.get("default_handler_class")
    if default and not own_delegates and not _is_handler(default):
        raise TypeError(f"default_handler_class is a RequestHandler class, not {default!r:.100}")
    if transforms is not None:
        _check_transforms(transforms)
    secret = settings.get("cookie_secret")
    if secret and isinstance(secret, (int, float)):
        raise TypeError(f"cookie_secret is a str or bytes, or a dict of them by version, not {_kind(secret)}")
    function = settings.get("log_function")
    if function is not None and not callable(function):
        raise TypeError(f"log_function is a function that is given a handler, not {function!r:.100}")
    path = settings.get("static_path")
    plain = settings.get("static_handler_class", StaticFileHandler) is StaticFileHandler
    if path and plain and not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"static_path is the path of a directory, not {path!r:.100}")
    mode = settings.get("template_whitespace")
    if mode and mode not in MODES:
        raise ValueError(f"template_whitespace is one of {', '.join(MODES)}, not {mode!r:.100}")
    _warn_of_empty_secrets(secret)
    _warn_of_misspellings(settings)


def loads_sessions(application: Application) -> bool:
    """Whether sessions come from a store that is awaited, as far as the settings tell.

    A value of ``session_store`` that is not a store may be the program's own: it is an error only where a
    handler uses the session.

    :raises ValueError: if the store is one and a setting beside it cannot be used.
    """
    store = application.settings.get("session_store")
    if store is None:
        return False
    from tornado.web._sessions.settings import policy_of
    from tornado.web._sessions.store import SessionStore

    return isinstance(store, SessionStore) and policy_of(application).is_asynchronous


def _is_handler(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, RequestHandler)


def _kind(value: Any) -> str:
    """The type of a value that should not be in a log."""
    return f"of type {type(value).__name__}"


def _check_transforms(transforms: Any) -> None:
    try:
        classes = list(transforms)
    except TypeError:
        raise TypeError(f"transforms is a list of OutputTransform classes, not {transforms!r:.100}") from None
    for each in classes:
        if not callable(each):
            raise TypeError(f"transforms holds {each!r:.100}, which is no OutputTransform class")


def _warn_of_empty_secrets(secret: Any) -> None:
    """Log a warning for an empty ``cookie_secret``. None means no secret."""
    for name, key in _named_secrets(secret):
        if not key:
            app_log.warning("%s is empty: signed cookies cannot be used", name)


def warn_of_short_secrets(secret: Any) -> None:
    """Log a warning for a short ``cookie_secret``, without showing it. None means no secret.

    Called when a server begins to listen, as programs' tests often have short ones.
    """
    for name, key in _named_secrets(secret):
        if 0 < len(key) < _MIN_SECRET:
            text = "%s has a length of only %d: signatures can be forged by guessing it"
            app_log.warning(f"{text}; use secrets.token_hex(32)", name, len(key))


def _named_secrets(secret: Any) -> list[tuple[str, str | bytes]]:
    """Return each secret with its name in messages."""
    if isinstance(secret, Mapping):
        named = [(f"cookie_secret[{version!r}]", key) for version, key in secret.items()]
    else:
        named = [("cookie_secret", secret)]
    return [(name, key) for name, key in named if isinstance(key, (str, bytes))]


def _warn_of_misspellings(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if name in APPLICATION:
            continue
        known = closest(name, APPLICATION)
        if known is None or known in settings:
            continue  # a program that has spelt it right means something else by this
        if name == known + "s" and isinstance(value, (list, tuple, set, frozenset, dict)):
            continue  # several of them: the program's own, as `static_paths`
        app_log.warning("the setting %r is not known here; did you mean %r?", name, known)


def ui_modules_of(value: Any) -> dict[str, type[UIModule]]:
    """The classes in the setting ``ui_modules``: a dictionary, a module, or a list of these.

    :raises TypeError: for anything else.
    """
    found: dict[str, type[UIModule]] = {}
    for namespace, is_written in _namespaces("ui_modules", value):
        for name, cls in namespace.items():
            if isinstance(cls, type) and issubclass(cls, UIModule):
                found[name] = cls
            elif is_written and not name.startswith("_") and not isinstance(cls, type):
                app_log.warning(
                    "ui_modules: %r is passed over, as it is no UIModule class: %.100r", name, cls
                )
    return found


def ui_methods_of(value: Any) -> dict[str, Any]:
    """The functions in the setting ``ui_methods``, likewise; of modules, those in lower case.

    :raises TypeError: for anything else than a dictionary, a module, or a list of these.
    """
    return {
        name: function
        for namespace, _ in _namespaces("ui_methods", value)
        for name, function in namespace.items()
        if not name.startswith("_") and callable(function) and name[0].lower() == name[0]
    }


def _namespaces(setting: str, value: Any) -> list[tuple[Mapping[str, Any], bool]]:
    """What names what, and whether it was written for this setting."""
    if inspect.ismodule(value):
        return [({name: getattr(value, name) for name in dir(value)}, False)]
    if isinstance(value, (list, tuple)):
        return [each for part in value for each in _namespaces(setting, part)]
    if not callable(getattr(value, "items", None)):
        raise TypeError(f"{setting} is a dict or a module, or a list of these, not {value!r:.100}")
    return [(value, "__name__" not in value)]


__all__ = ["check", "ui_methods_of", "ui_modules_of"]
