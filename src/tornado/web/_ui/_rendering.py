"""Rendering of a handler's templates, including the CSS and JavaScript of UI modules."""

from __future__ import annotations

import os.path
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from tornado import escape
from tornado.template import BaseLoader, Loader, TemplateNotFoundError
from tornado.template._errors import note_once
from tornado.web._execution._response import security_of
from tornado.web._security import _security_headers

if TYPE_CHECKING:
    from tornado.web._execution._response import ResponseOwner
    from tornado.web._interfaces import HandlerInterface

_WEB_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_TEMPLATE_FOLDER = os.path.join(os.path.dirname(_WEB_FOLDER), "template")
_INTERNAL_FOLDERS = (_WEB_FOLDER + os.sep, _TEMPLATE_FOLDER + os.sep)


def namespace(handler: HandlerInterface) -> dict[str, Any]:
    """Return the names that are available in every template: the handler, the request, the user, the locale,
    the functions for URLs, and the UI modules.
    """
    names: dict[str, Any] = {
        "handler": handler,
        "request": handler.request,
        "current_user": handler.current_user,
        "locale": handler.locale,
        "_": handler.locale.translate,
        "pgettext": handler.locale.pgettext,
        "static_url": handler.static_url,
        "xsrf_form_html": handler.xsrf_form_html,
        "reverse_url": handler.reverse_url,
    }
    if security_of(cast("ResponseOwner", handler)) is not None:
        names["csp_nonce"] = _security_headers.Nonce(handler)
    names.update(handler.ui)
    return names


def make_loader(settings: dict[str, Any], template_path: str) -> BaseLoader:
    """Create a loader with the template settings of the application."""
    if "template_loader" in settings:
        return settings["template_loader"]  # type: ignore[no-any-return]
    options: dict[str, Any] = {}
    if "autoescape" in settings:
        options["autoescape"] = settings["autoescape"]  # None disables escaping
    if "template_whitespace" in settings:
        options["whitespace"] = settings["template_whitespace"]
    return Loader(template_path, **options)


def _calling_directory() -> str:
    """Return the directory of the file that called ``render``, for programs without a ``template_path``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_internal(frame.f_code.co_filename):
        frame = frame.f_back
    return os.path.dirname(frame.f_code.co_filename)


def _is_internal(path: str) -> bool:
    """Whether a file is internal: a file of this package, or a template that renders a module."""
    return os.path.abspath(path).startswith(_INTERNAL_FOLDERS) or path.endswith(".generated.py")


def render_string(
    handler: HandlerInterface,
    template_name: str,
    values: dict[str, Any],
    loader_of: Callable[[str], BaseLoader],
) -> bytes:
    """Render the template `template_name`.

    :param loader_of: returns the loader of a directory.
    """
    path = handler.get_template_path()
    if not path:
        path = _calling_directory()
    loader = loader_of(path)
    names = handler.get_template_namespace()
    names.update(values)
    try:
        template = loader.load(template_name)
    except TemplateNotFoundError as error:
        note_once(error, _explain_path(handler, path))
        raise
    return template.generate(**names)


def _explain_path(handler: HandlerInterface, path: str) -> str:
    """Return an explanation of the directory in which a missing template was searched for."""
    if "template_loader" in handler.settings:
        return "templates come from the loader in the application's setting template_loader"
    if handler.get_template_path() is None:
        return (
            "the setting template_path is missing: templates are searched for beside the file that "
            f"renders, in {path}"
        )
    if handler.settings.get("template_path") == path:
        return f"the application's setting template_path is {path!r}"
    return f"get_template_path() of {type(handler).__name__} returned {path!r}"


class _Assets:
    """The assets that the UI modules of one page need, each once, in the order of first use."""

    def __init__(self) -> None:
        self.js_files: dict[str, None] = {}
        self.css_files: dict[str, None] = {}
        self.js_embed: list[bytes] = []
        self.css_embed: list[bytes] = []
        self.head: list[bytes] = []
        self.body: list[bytes] = []

    def add(self, module: Any) -> None:
        for files, asked in (
            (self.js_files, module.javascript_files()),
            (self.css_files, module.css_files()),
        ):
            if asked:
                files.update(dict.fromkeys(_each(asked)))
        for parts, text in (
            (self.js_embed, module.embedded_javascript()),
            (self.css_embed, module.embedded_css()),
            (self.head, module.html_head()),
            (self.body, module.html_body()),
        ):
            if text:
                parts.append(escape.utf8(text))


def _each(files: Any) -> list[str]:
    """Return the files of a module, given as one path or several, as a list."""
    return [escape.native_str(path) for path in ([files] if isinstance(files, (str, bytes)) else files)]


def render_page(handler: HandlerInterface, template_name: str, values: dict[str, Any]) -> bytes:
    """Render a whole page: the template with the assets of its modules inserted."""
    html = handler.render_string(template_name, **values)
    modules = getattr(handler, "_active_modules", None)
    if not modules:
        return html
    assets = _Assets()
    for module in modules.values():
        assets.add(module)
    before_head_end: list[bytes] = []
    before_body_end: list[bytes] = []
    if assets.css_files:
        before_head_end.append(escape.utf8(handler.render_linked_css(assets.css_files)))
    if assets.css_embed:
        before_head_end.append(handler.render_embed_css(assets.css_embed))
    before_head_end.extend(assets.head)
    if assets.js_files:
        before_body_end.append(escape.utf8(handler.render_linked_js(assets.js_files)))
    if assets.js_embed:
        before_body_end.append(handler.render_embed_js(assets.js_embed))
    before_body_end.extend(assets.body)
    html = _insert(html, html.find(b"</head>"), before_head_end)
    return _insert(html, html.rfind(b"</body>"), before_body_end)


def _insert(html: bytes, position: int, parts: list[bytes]) -> bytes:
    if not parts:
        return html
    if position < 0:
        raise ValueError("UI modules need </head> and </body> in the page that uses them")
    return html[:position] + b"\n".join(parts) + b"\n" + html[position:]


def _urls(handler: HandlerInterface, files: Iterable[str]) -> Iterable[str]:
    seen: dict[str, None] = {}
    for path in files:
        absolute = path.startswith(("/", "http:", "https:"))
        seen[path if absolute else handler.static_url(path)] = None
    return seen


def linked_js(handler: HandlerInterface, files: Iterable[str]) -> str:
    """Return one ``script`` element for each file."""
    nonce = _security_headers.attribute(handler)
    return "".join(
        f'<script src="{escape.xhtml_escape(url)}" type="text/javascript"{nonce}></script>'
        for url in _urls(handler, files)
    )


def linked_css(handler: HandlerInterface, files: Iterable[str]) -> str:
    """Return one ``link`` element for each file."""
    nonce = _security_headers.attribute(handler)
    return "".join(
        f'<link href="{escape.xhtml_escape(url)}" type="text/css" rel="stylesheet"{nonce}/>'
        for url in _urls(handler, files)
    )


def embedded_js(handler: HandlerInterface, parts: Iterable[bytes]) -> bytes:
    """Return one ``script`` element that contains all parts."""
    start = f'<script type="text/javascript"{_security_headers.attribute(handler)}>\n//<![CDATA[\n'
    return start.encode() + b"\n".join(parts) + b"\n//]]>\n</script>"


def embedded_css(handler: HandlerInterface, parts: Iterable[bytes]) -> bytes:
    """Return one ``style`` element that contains all parts."""
    start = f'<style type="text/css"{_security_headers.attribute(handler)}>\n'
    return start.encode() + b"\n".join(parts) + b"\n</style>"
