"""The content of the debug page, as text and in a browser."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.support.program import Program
from tornado.web._debug._page import Page, render
from tornado.web._debug._request_tables import RequestTables, Table
from tornado.web._debug._source import SourceLine
from tornado.web._debug._traceback import Frame, OmittedFrames, RaisedException
from tornado.web._dispatch._route_list import Route

EVIL = "</pre></script><img src=x onerror=alert(1)>\"'&\u2028"


def evil_page(**changes: Any) -> Page:
    """Return a page in which every text contains markup."""
    lines = [SourceLine(1, EVIL), SourceLine(2, EVIL, True, (3, 9)), SourceLine(3, f"{{{{ {EVIL} }}}}")]
    frames: list[Frame | OmittedFrames] = [
        Frame(kind, EVIL, EVIL, EVIL, 2, lines, [(EVIL, EVIL)], 3)
        for kind in ("framework", "library", "program", "template", "program")
    ]
    frames.insert(2, OmittedFrames(1000))

    def others() -> list[Frame | OmittedFrames]:
        return copy.deepcopy(frames)

    earlier = RaisedException("cause", EVIL, EVIL, EVIL, [EVIL], others())
    member = RaisedException("member", EVIL, EVIL, EVIL, [EVIL], others(), earlier=earlier)
    raised = RaisedException(
        "",
        EVIL,
        EVIL,
        EVIL,
        [EVIL],
        frames,
        [member],
        2,
        RaisedException("context", "m", "E", "", earlier=earlier),
    )
    table = Table("Request", [(EVIL, EVIL)], 5)
    values: dict[str, Any] = {
        "status": EVIL,
        "title": EVIL,
        "method": EVIL,
        "raised": raised,
        "tables": RequestTables(
            EVIL,
            [table, Table(EVIL, [(EVIL, EVIL)])],
            Table("Handler"),
            Table("Settings"),
            Table("Versions"),
            [Route(EVIL, EVIL, EVIL, False)],
            [EVIL],
        ),
        "plain": EVIL,
        "is_http_error": False,
    }
    return Page(**{**values, **changes})


class Checker(HTMLParser):
    """A parser that checks the nesting of elements and records their names and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("changes", [{}, {"is_http_error": True}])
@pytest.mark.parametrize("details", [True, False])
def test_all_texts_are_escaped(changes: dict[str, Any], details: bool) -> None:
    html = render(evil_page(**changes), "n0nce", details=details)
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert "img" not in checker.names
    assert html.count("<script") == 1
    assert {name for name, _ in checker.attributes if name.startswith("on")} == set()
    # The page loads no resource; the first value is the inline icon.
    assert [value for name, value in checker.attributes if name in ("src", "href") and value[:1] != "#"][
        1:
    ] == []  # type: ignore[index]
    identifiers = [value for name, value in checker.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    links = {value for name, value in checker.attributes if name == "href" and value and value[0] == "#"}
    assert {link[1:] for link in links} <= set(identifiers)


def test_page_without_details_has_no_variables() -> None:
    assert 'class="names"' in render(evil_page(), "n")
    assert 'class="names"' not in render(evil_page(), "n", details=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if x is None: # why", 'k">if|k">is|k">None|c"># why'),
        ('f(\'a\', b"\\"", 1.5)', 's">&#x27;a&#x27;|s">b&quot;\\&quot;&quot;|n">1.5'),
        ("x = len(y)", 'n">len'),
        ("ifx = 'open", 'n">open'),
    ],
)
def test_python_source_is_highlighted(text: str, expected: str) -> None:
    raised = RaisedException(
        "", "m", "E", "", [], [Frame("program", "f", "f", "f", 1, [SourceLine(1, text)])]
    )
    html = render(evil_page(raised=raised), "n").partition('<pre class="source"')[2].partition("</pre>")[0]
    found = re.findall(r'class="([kcsn]">[^<]*)<', html)
    assert "|".join(found).replace("&#39;", "&#x27;") == expected.replace("&#39;", "&#x27;")


def test_mark_preserves_highlighting() -> None:
    line = SourceLine(1, "return f('abc')", True, (7, 12))
    raised = RaisedException("", "m", "E", "", [], [Frame("program", "f", "f", "f", 1, [line])])
    html = render(evil_page(raised=raised), "n").partition('<pre class="source"')[2].partition("</pre>")[0]
    text = re.sub("<[^>]*>", "", html.partition("<mark>")[2].partition("</mark>")[0])
    assert text in ("f(&#x27;ab", "f(&#39;ab")
    assert (
        re.sub("<[^>]*>", "", html).replace("&#x27;", "'").replace("&#39;", "'").endswith("return f('abc')\n")
    )


# -- in a browser --


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("tests/web/failing_program.py", ["{port}"]) as running:
        yield running


@pytest.fixture(params=[1280, 390], ids=["wide", "narrow"])
def visit(request: Any, browser: Any, program: Program) -> Iterator[Any]:
    """Open pages; at the end, the console must contain only messages about failed responses."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    messages: list[str] = []

    def open_page(path: str) -> Any:
        page = context.new_page()
        page.on("console", lambda entry: messages.append(entry.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", lambda dialog: messages.append("a dialog"))
        page.goto(program.url(path))
        # The page does not overflow a narrow screen.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        return page

    yield open_page
    context.close()
    assert [text for text in messages if "Failed to load resource" not in text] == []


@pytest.mark.browser
def test_browser_shows_error_in_handler(visit: Any) -> None:
    page = visit("/lookup?item=tea&api_key=1234")
    assert page.title().startswith("RuntimeError: no such thing: <script>")
    assert page.locator("h1").inner_text() == "RuntimeError"
    assert "document.title = 'stolen'" in page.locator(".message").first.inner_text()
    last = page.locator("#last")
    assert "Lookup.get" in last.inner_text()
    assert 'raise RuntimeError(f"no such thing: {markup}")' in last.locator(".hit").inner_text()
    cause = page.locator("#earlier1")
    assert cause.locator("h3").inner_text() == "KeyError"
    assert cause.locator("mark").all_inner_texts() == ["{}[name]"]
    text = page.content()
    assert "correct horse battery" not in text
    assert "the secret of the cookies" not in text
    assert "1234" not in text.replace(str(page.url), "")
    assert page.get_by_role("link", name="Settings").is_visible()
    assert "lookup" in page.locator("#handler").inner_text()


@pytest.mark.browser
def test_browser_shows_error_in_template(visit: Any) -> None:
    page = visit("/page")
    assert page.locator("h1").inner_text() == "AttributeError"
    places = page.locator("details.frame:has(.tag) > summary .where").all_inner_texts()
    assert places == ["page.html:2", "table.html:3", "row.html:2"]
    last = page.locator("#last")
    assert last.locator("mark").inner_text() == "row.amount"
    assert "{'amount': 2}" in last.inner_text()


@pytest.mark.browser
def test_browser_shows_routes_for_404(visit: Any) -> None:
    page = visit("/lokup")
    assert page.locator("h1").inner_text() == "404 Not Found"
    assert "Did you mean /lookup?" in page.locator(".hints").inner_text()
    assert page.locator("#routes tbody tr").count() == 2


@pytest.mark.browser
def test_folded_frames_open_by_keyboard(visit: Any) -> None:
    page = visit("/lookup")
    folded = page.locator("details.folded").first
    assert folded.get_attribute("open") is None
    folded.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert folded.get_attribute("open") is not None


@pytest.mark.browser
def test_button_copies_traceback(visit: Any) -> None:
    page = visit("/lookup")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator("#copy")
    button.click()
    page.wait_for_function("document.getElementById('copy').textContent === 'Copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Traceback (most recent call last)")
    assert "KeyError" in copied


@pytest.mark.browser
def test_without_javascript_only_the_button_is_missing(browser: Any, program: Program) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(program.url("/lookup"))
    assert page.locator("h1").inner_text() == "RuntimeError"
    assert not page.locator("#copy").is_visible()
    context.close()
