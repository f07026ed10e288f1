"""Security headers, and cookies with prefixes and partitions, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.program import Program

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("tests/web/security_headers_program.py") as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_csp_permits_only_the_script_with_nonce(page: Any, program: Program) -> None:
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    for _ in range(2):
        page.goto(program.url("/page"), wait_until="load")
        assert page.title() == "ours"
    assert sum("Content Security Policy" in text for text in refused) >= 4


@pytest.mark.parametrize(("other", "shown"), [(False, True), (True, False)])
def test_page_can_be_framed_only_by_the_same_origin(
    other: bool, shown: bool, page: Any, program: Program
) -> None:
    host = f"{'localhost' if other else '127.0.0.1'}:{program.port}"
    page.goto(program.url(f"/frames?host={host}"), wait_until="load")
    # In a blocked frame, the browser shows an error page, which may have no title or no accessible frame.
    frame = page.wait_for_selector("iframe").content_frame()
    assert (frame is not None and frame.title() == "ours") is shown


def test_browser_accepts_cookies_with_prefixes_and_partitions(page: Any, program: Program) -> None:
    url = f"http://localhost:{program.port}/cookies"
    page.goto(url)
    kept = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert sorted(kept) == ["__Host-session", "__Secure-part", "gone"]
    assert kept["__Host-session"]["secure"]
    assert kept["__Host-session"]["sameSite"] == "Strict"
    page.goto(f"{url}?clear=yes")
    left = {cookie["name"] for cookie in page.context.cookies()}
    assert left <= {"__Secure-part"}  # a partitioned cookie is cleared only with partitioned=True
