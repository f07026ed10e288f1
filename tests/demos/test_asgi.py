"""The demo of one site: each of its applications answers, and the page uses the WebSocket."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.support.program import Program
from tests.wsgi.conftest import framework

framework("fastapi")
framework("flask")


@pytest.fixture
def program():
    with Program("demos/asgi/main.py") as running:
        yield running


def read(program: Program, path: str) -> str:
    with urllib.request.urlopen(program.url() + path) as response:
        return response.read().decode()


def test_each_application_answers(program):
    assert "One site" in read(program, "")
    assert json.loads(read(program, "api/items")) == ["apple", "pear"]
    assert json.loads(read(program, "api/items/1")) == {"name": "pear"}
    assert "The shop" in read(program, "shop/")
    with pytest.raises(urllib.error.HTTPError, match="404") as raised:
        read(program, "apix")
    raised.value.close()


@pytest.mark.browser
def test_page_and_documentation_in_a_browser(program, browser):
    """The documentation loads its script from another host, so the test provides one."""
    from playwright.sync_api import expect

    script = """window.SwaggerUIBundle = options => fetch(options.url).then(answer => answer.json()).then(
        schema => { document.body.textContent = schema.info.title + Object.keys(schema.paths).join(" ") })
    SwaggerUIBundle.presets = {}; SwaggerUIBundle.SwaggerUIStandalonePreset = {}"""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("https://**/*.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.route("https://**/*.css", lambda route: route.fulfill(body="", content_type="text/css"))
    page.route("https://**/*.png", lambda route: route.abort())
    page.goto(program.url())
    expect(page.locator("#said")).to_have_text("HELLO")
    page.get_by_role("link", name="its documentation").click()
    expect(page.locator("body")).to_contain_text("The API/items")
    page.close()
    assert errors == []
