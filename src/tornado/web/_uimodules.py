"""UI modules: parts of a page with their own template, style sheet and script."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tornado import escape
from tornado.util import ObjectDict

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.locale import Locale
    from tornado.web._handler import RequestHandler


class UIModule:
    """A reusable part of pages, used in templates as ``{% module Name(arguments) %}``.

    Subclasses define `render`, and the other methods for assets that the page contains once, even if the
    module is rendered several times.

    :param handler: the handler of the page. Its request, user, locale and ``ui`` are also attributes of the
        module.
    """

    def __init__(self, handler: RequestHandler) -> None:
        self.handler: RequestHandler = handler
        self.request: HTTPServerRequest = handler.request
        self.ui: dict[str, Any] = handler.ui
        self.locale: Locale = handler.locale

    @property
    def current_user(self) -> Any:
        """The handler's ``current_user``."""
        return self.handler.current_user

    def render(self, *args: Any, **kwargs: Any) -> str | bytes:
        """Return the HTML of the module; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} does not define render()")

    def embedded_javascript(self) -> str | None:
        """Return JavaScript for a ``script`` element at the end of the page."""
        return None

    def javascript_files(self) -> str | Iterable[str] | None:
        """Return one or more URLs of scripts, absolute or relative to ``static_path``."""
        return None

    def embedded_css(self) -> str | None:
        """Return CSS for a ``style`` element in the head of the page."""
        return None

    def css_files(self) -> str | Iterable[str] | None:
        """Return one or more URLs of style sheets, absolute or relative to ``static_path``."""
        return None

    def html_head(self) -> str | None:
        """Return HTML to insert before ``</head>``."""
        return None

    def html_body(self) -> str | None:
        """Return HTML to insert before ``</body>``."""
        return None

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """Render the template `path` with `kwargs` and the names that the handler provides to templates."""
        return self.handler.render_string(path, **kwargs)


class _linkify(UIModule):
    def render(self, text: str, **kwargs: Any) -> str:
        return escape.linkify(text, **kwargs)


class _xsrf_form_html(UIModule):
    def render(self) -> str:
        return self.handler.xsrf_form_html()


class TemplateModule(UIModule):
    """``{% module Template("part.html") %}``: a template as a module.

    Unlike with ``{% include %}``, only the given arguments are available in the template. A template may call
    ``set_resources`` with ``css_files``, ``embedded_javascript`` and so on for the page. A template that is
    used several times must pass the same resources each time.
    """

    def __init__(self, handler: RequestHandler) -> None:
        super().__init__(handler)
        self._resources: dict[str, dict[str, Any]] = {}

    def render(self, path: str, **kwargs: Any) -> bytes:
        """Render the template `path`."""

        def set_resources(**resources: Any) -> str:
            known = self._resources.setdefault(path, resources)
            if known != resources:
                raise ValueError(
                    f"set_resources called with different resources for the same template {path!r}"
                )
            return ""

        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _collect(self, key: str) -> list[Any]:
        return [resources[key] for resources in self._resources.values() if resources.get(key)]

    def embedded_javascript(self) -> str:
        """Return the ``embedded_javascript`` of the templates."""
        return "\n".join(self._collect("embedded_javascript"))

    def javascript_files(self) -> list[str]:
        """Return the ``javascript_files`` of the templates."""
        return _flatten(self._collect("javascript_files"))

    def embedded_css(self) -> str:
        """Return the ``embedded_css`` of the templates."""
        return "\n".join(self._collect("embedded_css"))

    def css_files(self) -> list[str]:
        """Return the ``css_files`` of the templates."""
        return _flatten(self._collect("css_files"))

    def html_head(self) -> str:
        """Return the ``html_head`` of the templates."""
        return "".join(self._collect("html_head"))

    def html_body(self) -> str:
        """Return the ``html_body`` of the templates."""
        return "".join(self._collect("html_body"))


def _flatten(parts: list[Any]) -> list[str]:
    files: list[str] = []
    for part in parts:
        if isinstance(part, (str, bytes)):
            files.append(escape.native_str(part))
        else:
            files.extend(part)
    return files


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

    def __init__(self, handler: RequestHandler, ui_modules: dict[str, type[UIModule]]) -> None:
        self.handler = handler
        self.ui_modules = ui_modules

    def __getitem__(self, key: str) -> Callable[..., str]:
        cls = self.ui_modules.get(key)
        if cls is None:
            raise UnknownModuleError(key, self.ui_modules)
        return _module_renderer(self.handler, key, cls)

    __getattr__ = __getitem__


def _module_renderer(handler: RequestHandler, name: str, cls: type[UIModule]) -> Callable[..., str]:
    def render(*args: Any, **kwargs: Any) -> str:
        active: dict[str, UIModule] = handler.__dict__.setdefault("_active_modules", {})
        module = active.get(name)
        if module is None:
            module = active[name] = cls(handler)
        return module.render(*args, **kwargs)  # type: ignore[return-value]

    return render


class UI:
    """The attribute ``ui`` of handlers: the application's UI methods, bound to the handler, and its modules.

    The dictionary is created on first access and stored in the handler's ``__dict__``, where it replaces this
    descriptor.
    """

    def __get__(self, handler: RequestHandler | None, owner: type | None = None) -> Any:
        if handler is None:
            return self
        application = handler.application
        handler._has_ui = True
        ui = ObjectDict(
            (name, types.MethodType(method, handler)) for name, method in application.ui_methods.items()
        )
        # There are two names because `{% module %}` uses `_tt_modules`, and a UI method may be called
        # "modules".
        ui["_tt_modules"] = _UIModuleNamespace(handler, application.ui_modules)
        ui["modules"] = ui["_tt_modules"]
        handler.ui = ui
        return ui
