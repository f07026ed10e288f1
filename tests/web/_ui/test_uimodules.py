"""UI modules: parts of a page with their own style sheet and script."""

from __future__ import annotations

import gc
import sysconfig
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised
from tornado import web
from tornado.template import DictLoader

PAGE = "<html><head><title>x</title></head><body>%s</body></html>"


class Button(web.UIModule):
    """A module with assets of all kinds."""

    def render(self, text: Any, **kwargs: Any) -> Any:
        return self.render_string("button.html", text=text, **kwargs)

    def embedded_javascript(self) -> Any:
        return "press()"

    def javascript_files(self) -> Any:
        return ["/a.js", "https://x.org/b.js?c&d", "own.js"]

    def embedded_css(self) -> Any:
        return "b {}"

    def css_files(self) -> Any:
        return "/a.css"

    def html_head(self) -> Any:
        return "<meta>"

    def html_body(self) -> Any:
        return "<!--end-->"


class Link(web.UIModule):
    """A module that uses one of the files of `Button`, and has few other assets."""

    def render(self) -> Any:
        return "<a>"

    def javascript_files(self) -> Any:
        return "/a.js"

    def css_files(self) -> Any:
        return ["/a.css", b"/b.css"]


class Plain(web.UIModule):
    """A module without assets."""

    def render(self, *args: Any) -> Any:
        known = [self.current_user, self.locale.code, self.request.method, self.ui is self.handler.ui, args]
        return f"[{' '.join(map(str, known))}]"


async def page(
    template: Any, expect_code: Any = 200, members: Any = None, templates: Any = None, **settings: Any
) -> Any:
    loader = DictLoader({"page.html": template, "button.html": "<b>{{ text }}</b>", **(templates or {})})
    handler = handler_of(get=lambda self: self.render("page.html"), **(members or {}))
    settings = {
        "ui_modules": [{"Button": Button}, {"Link": Link, "Plain": Plain}],
        **settings,
    }
    response = await ask(handler, template_loader=loader, **settings)
    assert response.code == expect_code
    return response.body.decode()


async def test_assets_of_modules_are_inserted(tmp_path: Path) -> None:
    (tmp_path / "own.js").write_text("")
    body = PAGE % "{% module Link() %}{% module Button('<1>') %}{% module Button('2') %}{% module Plain() %}"
    html = await page(
        body, static_path=str(tmp_path), members={"static_url": lambda self, path: f"/s/{path}"}
    )
    assert html == (
        "<html><head><title>x</title>"
        '<link href="/a.css" type="text/css" rel="stylesheet"/>'
        '<link href="/b.css" type="text/css" rel="stylesheet"/>'
        '\n<style type="text/css">\nb {}\n</style>'
        "\n<meta>\n</head><body>"
        "<a><b>&lt;1&gt;</b><b>2</b>[None en_US GET True ()]"
        '<script src="/a.js" type="text/javascript"></script>'
        '<script src="https://x.org/b.js?c&amp;d" type="text/javascript"></script>'
        '<script src="/s/own.js" type="text/javascript"></script>'
        '\n<script type="text/javascript">\n//<![CDATA[\npress()\n//]]>\n</script>'
        "\n<!--end-->\n</body></html>"
    )


async def test_module_without_assets_needs_no_head_and_body() -> None:
    assert await page("{% module Plain(1, 'a') %}") == "[None en_US GET True (1, 'a')]"


async def test_assets_in_a_page_without_head_are_an_error(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        await page("{% module Link() %}", expect_code=500)
    assert "</head> and </body>" in str(raised(expected))


async def test_overridden_rendering_of_assets() -> None:
    members: dict[str, Any] = {
        "render_linked_js": lambda self, files: f"<js {list(files)}>",
        "render_embed_js": lambda self, parts: b"<js " + b"".join(parts) + b">",
        "render_linked_css": lambda self, files: f"<css {list(files)}>",
        "render_embed_css": lambda self, parts: b"<css " + b"".join(parts) + b">",
    }
    html = await page(PAGE % "{% module Button('x') %}", members=members)
    assert "<css ['/a.css']>\n<css b {}>\n<meta>\n</head>" in html
    assert "<js ['/a.js', 'https://x.org/b.js?c&d', 'own.js']>\n<js press()>\n<!--end-->\n</body>" in html


async def test_assets_of_nested_modules_are_inserted() -> None:
    class Outer(web.UIModule):
        def render(self) -> Any:
            return self.render_string("outer.html")

    html = await page(
        PAGE % "{% module Outer() %}",
        templates={"outer.html": "<o>{% module Link() %}</o>"},
        ui_modules={"Outer": Outer, "Link": Link},
    )
    assert "<o><a></o>" in html
    assert "/b.css" in html


async def test_module_without_render_is_explained(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        await page("{% module Bare() %}", expect_code=500, ui_modules={"Bare": web.UIModule})
    assert "UIModule does not define render()" in str(raised(expected))


# -- the built-in modules --


async def test_linkify_and_the_form_field() -> None:
    html = await page("{% module linkify('see www.x.org', shorten=True) %}{% module xsrf_form_html() %}")
    assert html.startswith('see <a href="http://www.x.org">www.x.org</a><input type="hidden" name="_xsrf"')


async def test_templates_as_modules() -> None:
    entry = """{{ set_resources(css_files=["/a.css", "/b.css"], embedded_css="e {}", javascript_files="/a.js",
        embedded_javascript="run()", html_head="<meta>", html_body="<!--end-->") }}<i>{{ n }}</i>"""
    other = "{{ set_resources(css_files='/c.css', embedded_css='') }}{% module Template('plain.html', n=n) %}"
    body = "{% for i in range(2) %}{% module Template('entry.html', n=i) %}{% end %}"
    body += "{% module Template('other.html', n=7) %}"
    templates = {"entry.html": entry, "other.html": other, "plain.html": "<u>{{ n }}</u>"}
    html = await page(PAGE % body, templates=templates)
    assert "<body><i>0</i><i>1</i><u>7</u><script" in html
    for text in ("/a.css", "/b.css", "/c.css", "e {}", "/a.js", "run()", "<meta>", "<!--end-->"):
        assert html.count(text) == 1


async def test_template_module_has_only_its_arguments(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        body = "{% set local = 1 %}{% module Template('part.html') %}"
        await page(body, expect_code=500, templates={"part.html": "{{ local }}"})
    assert isinstance(raised(expected), NameError)


async def test_different_resources_of_one_template_are_an_error(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        body = "{% module Template('part.html', n=1) %}{% module Template('part.html', n=2) %}"
        await page(
            PAGE % body, expect_code=500, templates={"part.html": "{{ set_resources(css_files=str(n)) }}"}
        )
    assert "different resources for the same template 'part.html'" in str(raised(expected))


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="free-threaded builds free functions later"
)
async def test_rendering_leaves_no_reference_cycle() -> None:
    handlers = []

    def prepare(self: Any) -> None:
        handlers.append(weakref.ref(self))

    gc.disable()
    try:
        await page(PAGE % "{% module Link() %}", members={"prepare": prepare})
        assert handlers[0]() is None
    finally:
        gc.enable()
