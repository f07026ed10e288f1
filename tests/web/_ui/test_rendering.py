"""Rendering of templates by a handler."""

from __future__ import annotations

import json
import re
import types
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tests.support.web import clear_template_loaders
from tornado import web
from tornado.template import DictLoader, Loader


async def render(
    template: Any, *fields: Any, values: Any = None, members: Any = None, others: Any = None, **settings: Any
) -> Any:
    """Return the response of a handler that renders `template`, which may include `others`."""
    loader = DictLoader({"page.html": template, **(others or {})})

    def get(self: Any) -> Any:
        return self.render("page.html", **(values or {}))

    handler = handler_of(get=get, **(members or {}))
    return await ask(handler, *fields, template_loader=loader, **settings)


async def test_rendered_page_is_escaped_and_sent() -> None:
    response = await render("<p>{{ name }}</p>", values={"name": "<é>"})
    assert response.body == "<p>&lt;é&gt;</p>".encode()
    assert response.get("content-type") == "text/html; charset=UTF-8"
    assert response.get("content-length") == str(len(response.body))


async def test_names_available_in_every_template(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_bytes(b"")
    template = """{% raw json_encode([
        handler.__class__.__name__, request.method, current_user, locale.code, _("text"),
        pgettext("c", "text"), static_url("a.css", include_version=False), xsrf_form_html()[:6],
        reverse_url("home", "x"),
    ]) %}"""
    routes = [web.url("/", handler_of(get=lambda self: self.render("page")), name="first")]
    routes.append(web.url("/home/(.*)", web.RequestHandler, name="home"))
    loader = DictLoader({"page": template})
    response = await ask(routes, template_loader=loader, static_path=str(tmp_path))
    expected = ["Handler", "GET", None, "en_US", "text", "text", "/static/a.css", "<input", "/home/x"]
    assert json.loads(response.body) == expected


async def test_overridden_get_template_namespace() -> None:
    def get_template_namespace(self: Any) -> Any:
        names = web.RequestHandler.get_template_namespace(self)
        names.update(site="mine", locale="overridden")
        return names

    members: dict[str, Any] = {"get_template_namespace": get_template_namespace}
    response = await render("{{ site }} {{ locale }} {{ request }}", values={"request": 1}, members=members)
    assert response.body == b"mine overridden 1"


async def test_render_string_returns_bytes() -> None:
    def get(self: Any) -> None:
        html = self.render_string("part.html", a=1)
        assert html == b"1"
        self.write(html)
        self.write(self.render_string("part.html", a=2))

    response = await ask(handler_of(get=get), template_loader=DictLoader({"part.html": "{{ a }}"}))
    assert response.body == b"12"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, b"&lt;b&gt;"),
        ({"autoescape": None}, b"<b>"),
        ({"autoescape": "url_escape"}, b"%3Cb%3E"),
        ({"autoescape": "xhtml_escape"}, b"&lt;b&gt;"),
    ],
)
async def test_autoescape_setting_applies(tmp_path: Path, settings: Any, expected: Any) -> None:
    (tmp_path / "a.html").write_text("{{ '<b>' }}")
    handler = handler_of(get=lambda self: self.render("a.html"))
    assert (await ask(handler, template_path=str(tmp_path), **settings)).body == expected


async def test_template_whitespace_setting_applies(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>  a\n\n  b</p>")
    handler = handler_of(get=lambda self: self.render("a.html"))
    for mode, expected in (("all", b"<p>  a\n\n  b</p>"), ("oneline", b"<p> a b</p>")):
        clear_template_loaders()
        settings: dict[str, Any] = {"template_path": str(tmp_path), "template_whitespace": mode}
        assert (await ask(handler, **settings)).body == expected


async def test_compiled_templates_are_cached_by_default(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    handler = handler_of(get=lambda self: self.render("a.html"))
    cases: list[tuple[dict[str, Any], bytes]] = [({}, b"one"), ({"compiled_template_cache": False}, b"two")]
    for settings, second in cases:
        clear_template_loaders()
        path.write_text("one")
        app = web.Application([("/", handler)], template_path=str(tmp_path), **settings)
        async with serving(app) as server:
            assert (await server.fetch("/")).body == b"one"
            path.write_text("two")
            assert (await server.fetch("/")).body == second


async def test_overridden_template_path_and_loader(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("from {{ where }}")
    made = []

    class Handler(web.RequestHandler):
        def get_template_path(self) -> Any:
            return str(tmp_path)

        def create_template_loader(self, template_path: Any) -> Any:
            made.append(template_path)
            return Loader(template_path, namespace={"where": "there"})

        def get(self) -> Any:
            return self.render("a.html")

    for _ in range(2):
        assert (await ask(Handler)).body == b"from there"
    assert made == [str(tmp_path)]


PROGRAM = """
from tornado import web

class Module(web.UIModule):
    def render(self):
        return self.render_string("part.html")

class Handler(web.RequestHandler):
    def get(self):
        return self.render("page.html")
"""


async def test_templates_are_in_the_directory_of_the_program_by_default(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("page {% module Module() %} {% module Template('part.html') %}")
    (tmp_path / "part.html").write_text("part")
    program = types.ModuleType("program")
    exec(compile(PROGRAM, str(tmp_path / "program.py"), "exec"), vars(program))
    modules = {"Module": program.Module}
    body = (await ask(program.Handler, ui_modules=modules)).body
    # {% module Template() %} uses the directory of the page, even if a generated template calls it.
    assert body == b"page part part"


async def test_missing_template_error_contains_the_directory(tmp_path: Path, expect_log: ExpectLog) -> None:
    handler = handler_of(get=lambda self: self.render("none.html"))
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler, template_path=str(tmp_path))).code == 500
    error = raised(expected)
    assert isinstance(error, FileNotFoundError)
    assert f"template 'none.html' not found in the template directory {tmp_path}" in str(error)
    assert error.__notes__ == [f"the application's setting template_path is {str(tmp_path)!r}"]


async def test_missing_template_error_explains_the_directory(tmp_path: Path, expect_log: ExpectLog) -> None:
    async def note_of(**options: Any) -> str:
        members = options.pop("members", {})
        handler = handler_of(get=lambda self: self.render("none.html"), **members)
        with expect_log("tornado.application", "Uncaught exception") as expected:
            await ask(handler, **options)
        note: str = raised(expected).__notes__[-1]
        return note

    assert (await note_of()).startswith("the setting template_path is missing: ")
    members = {"get_template_path": lambda self: str(tmp_path)}
    assert await note_of(members=members) == f"get_template_path() of Handler returned {str(tmp_path)!r}"
    assert "setting template_loader" in await note_of(template_loader=DictLoader({}))


async def test_traceback_shows_the_line_of_the_template(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception"):
        template = "one\ntwo\n{% include 'part.html' %}"
        others = {"part.html": "\n{{ 1 / 0 }}"}
        response = await render(template, others=others, serve_traceback=True)
    assert response.code == 500
    assert response.get("content-type") == "text/plain; charset=UTF-8"
    assert b"ZeroDivisionError" in response.body
    assert re.search(rb"# part\.html:2 \(via page\.html:3\)", response.body)


async def test_a_template_that_does_not_parse(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception"):
        response = await render("a\n{% if %}", serve_traceback=True)
    assert response.code == 500
    assert b"page.html:2" in response.body


async def test_locale_is_available_in_templates(tmp_path: Path) -> None:
    members: dict[str, Any] = {"get_user_locale": lambda self: None}
    response = await render("{{ locale.code }}", "Accept-Language: xx, en;q=0.5", members=members)
    assert response.body == b"en_US"


async def test_a_page_can_be_awaited() -> None:
    async def get(self: Any) -> None:
        await self.render("page.html")
        assert self._finished

    loader = DictLoader({"page.html": "x"})
    assert (await ask(handler_of(get=get), template_loader=loader)).body == b"x"


async def test_static_url_is_available_in_templates(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_bytes(b"")
    template = "{{ static_url('a.css') }}"
    response = await render(template, static_path=str(tmp_path))
    assert re.fullmatch(rb"/static/a\.css\?v=[0-9a-f]{128}", response.body)
