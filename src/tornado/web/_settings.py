"""What is wrong with an application's settings is said when the application is made, by the setting's name.

Only what could never have worked is refused. A program may have settings of its own under any name; of those
that are almost the name of a setting which is new here, a warning is logged.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Mapping
from typing import Any

from tornado.httputil import HTTPServerConnectionDelegate
from tornado.log import app_log
from tornado.routing import PathMatches, Rule
from tornado.template._whitespace import MODES
from tornado.web._handler import RequestHandler
from tornado.web._static import StaticFileHandler
from tornado.web._uimodules import UIModule

#: Settings that Tornado 6 does not have.
NEW = (
    "allowed_hosts",
    "cancel_on_disconnect",
    "cross_origin_protection",
    "handler_tasks",
    "handler_timeout",
    "head_from_get",
    "security_headers",
    "static_precompressed",
    "trusted_origins",
    "upload_directory",
    "websocket_write_limit",
)
#: How alike two names are, of 1, for the one to be taken for a slip of the other.
_ALIKE = 0.85
# Words between slashes and nothing else; whatever means something in a regular expression may match more.
_WORDS = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]*)*\$?")


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
    _warn_of_slips(settings)


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


def _warn_of_slips(settings: dict[str, Any]) -> None:
    for name in settings:
        if name in NEW:
            continue
        for known in difflib.get_close_matches(name, NEW, 1, _ALIKE):
            app_log.warning("the setting %r is not known here; did you mean %r?", name, known)


def warn_of_route(rule: Rule) -> None:
    """Log a warning where a route can lead nowhere: its pattern is a plain word, while paths begin with
    ``/``, or its target is a class that is not for requests.
    """
    target = rule.target
    if isinstance(target, type) and not issubclass(target, (RequestHandler, HTTPServerConnectionDelegate)):
        app_log.warning(
            "the route %.200r leads to the class %s, which is no RequestHandler: it is called with each "
            "request, and nobody else answers that",
            rule,
            target.__qualname__,
        )
    regex = getattr(rule.matcher, "regex", None)
    if regex is not None and regex.groups == 0 and _wants_path(target):
        app_log.warning(
            "the pattern of the route %.200r needs a group, for the file's path: %r",
            rule,
            regex.pattern.removesuffix("$").removesuffix("/") + "/(.*)",
        )
    pattern = getattr(regex, "pattern", None)
    if type(rule.matcher) is PathMatches and isinstance(pattern, str) and _WORDS.fullmatch(pattern):
        wanted = "/" + pattern.removesuffix("$")
        app_log.warning(
            "the route %.100r can never match, as paths begin with a slash: %r",
            pattern.removesuffix("$"),
            wanted,
        )


def _wants_path(target: Any) -> bool:
    return isinstance(target, type) and getattr(target, "get", None) is StaticFileHandler.get


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


__all__ = ["NEW", "check", "ui_methods_of", "ui_modules_of"]
