"""The attribute ``ui`` of handlers, and the name ``modules`` in templates."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any

from tornado.util import ObjectDict
from tornado.web._execution._response import response_of


class UnknownModuleError(AttributeError, KeyError):
    """A template uses a UI module that the application does not have.

    It is an AttributeError and a KeyError, because a template may access a module as an attribute or as an
    item of ``modules``.

    :param name: the name of the module.
    :param known: the names of the application's modules.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        import difflib  # imported late: needed for this error only

        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f": did you mean {close[0]!r}?" if close else "."
        super().__init__(
            f"there is no UI module {name!r}{hint} "
            f"The application has {', '.join(names)}; its setting ui_modules adds more"
        )
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])  # like an AttributeError; a KeyError would quote it


class _UIModuleNamespace:
    """The name ``modules`` in templates: each attribute or item is a function that renders the module of that
    name.
    """

    def __init__(self, handler: Any, ui_modules: dict[str, Any]) -> None:
        self.handler = handler
        self.ui_modules = ui_modules

    def __getitem__(self, key: str) -> Callable[..., str]:
        cls = self.ui_modules.get(key)
        if cls is None:
            raise UnknownModuleError(key, self.ui_modules)
        return _module_renderer(self.handler, key, cls)

    __getattr__ = __getitem__


def _module_renderer(handler: Any, name: str, cls: Any) -> Callable[..., str]:
    def render(*args: Any, **kwargs: Any) -> str:
        active: dict[str, Any] = handler.__dict__.setdefault("_active_modules", {})
        module = active.get(name)
        if module is None:
            module = active[name] = cls(handler)
        rendered: str = module.render(*args, **kwargs)
        return rendered

    return render


class UI:
    """The attribute ``ui`` of handlers: the application's UI methods, bound to the handler, and its modules.

    The dictionary is created on first access and stored in the handler's ``__dict__``, where it replaces this
    descriptor.
    """

    def __get__(self, handler: Any | None, owner: type | None = None) -> Any:
        if handler is None:
            return self
        application = handler.application
        response_of(handler).has_ui = True
        ui = ObjectDict(
            (name, types.MethodType(method, handler)) for name, method in application.ui_methods.items()
        )
        # There are two names because `{% module %}` uses `_tt_modules`, and a UI method may be called
        # "modules".
        ui["_tt_modules"] = _UIModuleNamespace(handler, application.ui_modules)
        ui["modules"] = ui["_tt_modules"]
        handler.ui = ui
        return ui
