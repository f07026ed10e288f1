"""UI modules: parts of a page with their own template, style sheet and script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tornado import escape

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
