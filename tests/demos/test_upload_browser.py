from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.program import Program

pytestmark = pytest.mark.browser

LIMIT = 30_000_000
CONTENT = bytes(range(256)) * 40_000


@pytest.fixture
def program(tmp_path) -> Iterator[Program]:
    arguments = ["--port={port}", f"--folder={tmp_path / 'stored'}", f"--limit={LIMIT}"]
    with Program("demos/upload/main.py", arguments) as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture
def files(tmp_path) -> list[str]:
    """A large file, a small one whose name must be escaped in the list, and an empty one."""
    contents = {"large.bin": CONTENT, "grüße & <Küsse>.txt": b"hello", "empty": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in contents]


@pytest.fixture
def page(browser, program):
    """The page; afterwards no script may have failed."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(program.url())
    yield page
    context.close()
    assert errors == []


def downloaded(page, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name, exact=True).click()
    return waiting.value.path().read_bytes()


def test_files_are_chosen_sent_listed_and_downloaded(page, files):
    from playwright.sync_api import expect

    # Record the values of the progress bar.
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => window.seen.push(document.getElementById("bar").value))
                .observe(document.getElementById("sent"), { childList: true });
        }"""
    )
    page.locator("#file").set_input_files(files)
    expect(page.locator("#chosen li")).to_have_count(3)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#files li")).to_have_count(3)
    expect(page.locator("#bar")).to_have_js_property("value", 100)
    expect(page.locator("#arrived")).to_have_text("All received")
    expect(page.locator("#chosen li")).to_have_count(0)
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert downloaded(page, "large.bin") == CONTENT
    assert downloaded(page, "grüße & _Küsse_.txt") == b"hello"
    assert downloaded(page, "empty") == b""


def test_progress_from_the_server(page, files):
    from playwright.sync_api import expect

    page.evaluate(
        """() => {
            window.told = [];
            new MutationObserver(() => window.told.push(document.getElementById("arrived").textContent))
                .observe(document.getElementById("arrived"), { childList: true });
        }"""
    )
    # The page opens the event stream before it uploads: delay the upload until then.
    events = []
    page.on("request", lambda request: events.append(request.url) if "/progress/" in request.url else None)
    page.locator("#file").set_input_files(files[0])
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#arrived")).to_have_text("All received")
    assert len(events) == 1
    assert all(text == "" or "received" in text for text in page.evaluate("window.told"))


def test_too_large_upload_is_refused_with_a_message(page, files, tmp_path):
    from playwright.sync_api import expect

    large = tmp_path / "too large.bin"
    large.write_bytes(bytes(LIMIT + 1))
    page.locator("#file").set_input_files(str(large))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_have_text("The upload is too large: the limit is 30.0 MB.")
    expect(page.locator("#files li")).to_have_count(0)
    page.locator("#file").set_input_files(files[1])
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#files li")).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_page_works_without_scripts(browser, program, files, tmp_path):
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.goto(program.url())
    page.locator("#file").set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(program.url())
    assert page.locator("#files li").count() == 3
    assert downloaded(page, "large.bin") == CONTENT
    large = tmp_path / "too large.bin"
    large.write_bytes(bytes(LIMIT + 1))
    page.locator("#file").set_input_files(str(large))
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/upload")
    assert page.get_by_role("alert").text_content() == "The upload is too large: the limit is 30.0 MB."
    assert page.locator("#files li").count() == 3
    context.close()
