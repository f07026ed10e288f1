"""Security headers and cookies with name prefixes, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.program import Program

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("tests/web/careful_program.py") as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_only_the_script_with_the_nonce_runs(page: Any, program: Program) -> None:
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    for _ in range(2):
        page.goto(program.url("/page"), wait_until="load")
        assert page.title() == "ours"
    assert sum("Content Security Policy" in text for text in refused) >= 4


@pytest.mark.parametrize(("other", "shown"), [(False, True), (True, False)])
def test_only_pages_of_the_same_origin_may_frame(
    other: bool, shown: bool, page: Any, program: Program
) -> None:
    host = f"{'localhost' if other else '127.0.0.1'}:{program.port}"
    page.goto(program.url(f"/frames?host={host}"), wait_until="load")
    # For a rejected frame the browser shows an error page, which may have no name, or no frame at all.
    frame = page.wait_for_selector("iframe").content_frame()
    assert (frame is not None and frame.title() == "ours") is shown


def test_browser_stores_valid_cookies_with_prefixes(page: Any, program: Program) -> None:
    url = f"http://localhost:{program.port}/cookies"
    page.goto(url)
    kept = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert sorted(kept) == ["__Host-session", "__Secure-part", "gone"]
    assert kept["__Host-session"]["secure"]
    assert kept["__Host-session"]["sameSite"] == "Strict"
    page.goto(f"{url}?clear=yes")
    left = {cookie["name"] for cookie in page.context.cookies()}
    assert left <= {"__Secure-part"}  # only partitioned=True clears a partitioned cookie
