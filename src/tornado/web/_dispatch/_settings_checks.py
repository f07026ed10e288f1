"""Checks of the settings when an application is created.

An error that names the setting is raised for a value that can never work. A program may store its own
settings under any name, so an unknown name is reported only if it is probably a misspelling of a known one.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado._setting_names import APPLICATION, closest
from tornado.log import app_log
from tornado.template._whitespace import MODES
from tornado.web._files._static import StaticFileHandler
from tornado.web._handler import RequestHandler
from tornado.web._ui._uimodules import UIModule

if TYPE_CHECKING:
    from tornado.web._interfaces import ApplicationInterface

#: The minimum length of a cookie secret in bytes; a shorter one can be guessed. 16 random bytes are 128 bits.
_MIN_SECRET = 16


def check(settings: dict[str, Any], transforms: Any, own_delegates: bool) -> None:
    """Check that settings have valid types.

    :param transforms: the argument ``transforms`` of the application, or None.
    :param own_delegates: whether the application overrides the creation of delegates, so that handlers may be
        of any type.
    :raises TypeError: if a value has the wrong type; the message names the setting and the accepted type.
    :raises ValueError: if ``template_whitespace`` is not a known mode.
    """
    default = settings.get("default_handler_class")
    if default and not own_delegates and not _is_handler(default):
        raise TypeError(f"default_handler_class must be a RequestHandler class, got {default!r:.100}")
    if transforms is not None:
        _check_transforms(transforms)
    secret = settings.get("cookie_secret")
    if secret and isinstance(secret, (int, float)):
        raise TypeError(
            f"cookie_secret must be a str or bytes, or a dict of them by version, got {_type_name(secret)}"
        )
    function = settings.get("log_function")
    if function is not None and not callable(function):
        raise TypeError(f"log_function must be a function that accepts a handler, got {function!r:.100}")
    path = settings.get("static_path")
    plain = settings.get("static_handler_class", StaticFileHandler) is StaticFileHandler
    if path and plain and not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"static_path must be the path of a directory, got {path!r:.100}")
    mode = settings.get("template_whitespace")
    if mode and mode not in MODES:
        raise ValueError(f"template_whitespace must be one of {', '.join(MODES)}, got {mode!r:.100}")
    _warn_of_empty_secrets(secret)
    _warn_of_misspellings(settings)


def check_routes(handlers: Any, second: Any) -> None:
    """Check the first argument of an application.

    :param second: the second argument, shown in the message.
    :raises TypeError: if `handlers` is not a list of routes; the message contains the correct form.
    """
    if handlers is None:
        return
    right = 'Application([(r"/", MainHandler)])'
    if isinstance(handlers, (str, bytes)):
        shown = getattr(second, "__name__", second)
        raise TypeError(f"Application({handlers!r}, {shown}): routes must be a list of tuples, as in {right}")
    if isinstance(handlers, RequestHandler) or (
        isinstance(handlers, type) and issubclass(handlers, RequestHandler)
    ):
        raise TypeError(f"Application({handlers!r}): routes must be a list of tuples, as in {right}")


def loads_sessions(application: ApplicationInterface) -> bool:
    """Whether the setting ``session_store`` is an asynchronous store.

    A value that is not a store may be a setting of the program. It is an error only if a handler uses the
    session.

    :raises ValueError: if the value is a store and another session setting is invalid.
    """
    store = application.settings.get("session_store")
    if store is None:
        return False
    from tornado.web._sessions.settings import policy_of
    from tornado.web._sessions.store import SessionStore

    return isinstance(store, SessionStore) and policy_of(application).is_asynchronous


def _is_handler(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, RequestHandler)


def _type_name(value: Any) -> str:
    """Return a description of a value without the value itself, which may be secret."""
    return f"a value of type {type(value).__name__}"


def _check_transforms(transforms: Any) -> None:
    try:
        classes = list(transforms)
    except TypeError:
        raise TypeError(
            f"transforms must be a list of OutputTransform classes, got {transforms!r:.100}"
        ) from None
    for each in classes:
        if not callable(each):
            raise TypeError(f"transforms must contain OutputTransform classes only, got {each!r:.100}")


def _warn_of_empty_secrets(secret: Any) -> None:
    """Log a warning for an empty ``cookie_secret``. None means no secret."""
    for name, key in _named_secrets(secret):
        if not key:
            app_log.warning("%s is empty: signed cookies cannot be used", name)


def warn_of_short_secrets(secret: Any) -> None:
    """Log a warning for a short ``cookie_secret``, without showing it. None means no secret.

    The function is called when a server starts to listen, because tests of programs often use short secrets.
    """
    for name, key in _named_secrets(secret):
        if 0 < len(key) < _MIN_SECRET:
            text = "%s has a length of only %d: signatures can be forged by guessing it"
            app_log.warning(f"{text}; use secrets.token_hex(32)", name, len(key))


def _named_secrets(secret: Any) -> list[tuple[str, str | bytes]]:
    """Return each secret with the name used in messages."""
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
            continue  # the known name is set too, so this one is a setting of the program
        if name == known + "s" and isinstance(value, (list, tuple, set, frozenset, dict)):
            continue  # a collection with a plural name is a setting of the program, such as `static_paths`
        app_log.warning("unknown setting %r; did you mean %r?", name, known)


def ui_modules_of(value: Any) -> dict[str, type[UIModule]]:
    """Return the classes in the setting ``ui_modules``: a dictionary, a module, or a list of these.

    :raises TypeError: if the setting has another type.
    """
    found: dict[str, type[UIModule]] = {}
    for namespace, is_written in _namespaces("ui_modules", value):
        for name, cls in namespace.items():
            if isinstance(cls, type) and issubclass(cls, UIModule):
                found[name] = cls
            elif is_written and not name.startswith("_") and not isinstance(cls, type):
                app_log.warning(
                    "ui_modules: %r is ignored because it is not a UIModule class: %.100r", name, cls
                )
    return found


def ui_methods_of(value: Any) -> dict[str, Any]:
    """Return the functions in the setting ``ui_methods``; from modules, those whose names are in lower case.

    :raises TypeError: if the setting is not a dictionary, a module, or a list of these.
    """
    return {
        name: function
        for namespace, _ in _namespaces("ui_methods", value)
        for name, function in namespace.items()
        if not name.startswith("_") and callable(function) and name[0].lower() == name[0]
    }


def _namespaces(setting: str, value: Any) -> list[tuple[Mapping[str, Any], bool]]:
    """Return the mappings in a setting. The flag of each is True for a plain dictionary, and False for the
    namespace of a module.
    """
    if inspect.ismodule(value):
        return [({name: getattr(value, name) for name in dir(value)}, False)]
    if isinstance(value, (list, tuple)):
        return [each for part in value for each in _namespaces(setting, part)]
    if not callable(getattr(value, "items", None)):
        raise TypeError(f"{setting} must be a dict or a module, or a list of these, got {value!r:.100}")
    return [(value, "__name__" not in value)]


__all__ = ["check", "check_routes", "ui_methods_of", "ui_modules_of"]
