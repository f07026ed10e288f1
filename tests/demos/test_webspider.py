from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys

import pytest

from tests.support.program import ROOT, Program
from tests.support.server import Server, serving
from tornado import web

PAGES = {
    "/": """<a href="/a">a</a> <a href=b#part>b</a> <a href="#top">top</a> <a>nowhere</a>
        <a href="http://elsewhere.invalid/">elsewhere</a> <a href="mailto:ann@example.com">mail</a>
        <link href="/style.css"><a href="/moved">moved</a>""",
    "/a": """<a href="/">home</a> <a href="/deep/c?x=1">c</a> <a href="/file">file</a>""",
    "/b": """<a href="/a">a</a>""",
    "/deep/c": """<a href="d">d</a> <a href="..">home</a>""",
    "/deep/d": """the end""",
}


class PageHandler(web.RequestHandler):
    def get(self, path: str) -> None:
        self.settings["asked"].append(self.request.uri)
        if path not in PAGES:
            raise web.HTTPError(404)
        self.write(PAGES[path])


class FileHandler(web.RequestHandler):
    """A handler with a binary response whose content looks like a page."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write('<a href="/nothing">nothing</a>')


def site() -> web.Application:
    return web.Application(
        [("/file", FileHandler), ("/moved", web.RedirectHandler, {"url": "/b"}), ("(/.*)", PageHandler)],
        asked=[],
    )


async def crawl(server: Server, path: str = "", *arguments: str) -> tuple[int, list[str]]:
    url = f"http://127.0.0.1:{server.port}"
    program = Program("demos/webspider/main.py", [f"--url={url}{path}", "--workers=3", *arguments])
    status, output = await asyncio.to_thread(program.run_to_its_end)
    return status, output.replace(url, "").splitlines()


async def test_every_page_is_fetched_once():
    application = site()
    async with serving(application) as server:
        status, lines = await crawl(server)
    # The target of /moved is also fetched under its own URL.
    assert sorted(application.settings["asked"]) == ["/", "/a", "/b", "/b", "/deep/c?x=1", "/deep/d"]
    assert sorted(lines[:-1]) == ["/", "/a", "/b", "/deep/c?x=1", "/deep/d", "/file", "/moved"]
    assert lines[-1].startswith("7 pages, 0 broken, in ")
    assert status == 0


async def test_broken_links_are_reported_with_their_page(monkeypatch):
    monkeypatch.setitem(PAGES, "/b", '<a href="/none">none</a>')
    async with serving(site()) as server:
        status, lines = await crawl(server, "/b")
    assert lines[:2] == ["/b", "broken: /none (found on /b): HTTP 404: Not Found"]
    assert status == 1


async def test_malformed_link_is_skipped(monkeypatch):
    monkeypatch.setitem(PAGES, "/b", '<a href="http://[oops">oops</a> <a href="/deep/d">d</a>')
    async with serving(site()) as server:
        status, lines = await crawl(server, "/b")
    assert lines[:2] == ["/b", "/deep/d"]
    assert status == 0


async def test_closed_output_ends_the_crawl(monkeypatch):
    """A closed pipe, as with ``| head -1``: a worker fails, URLs remain in the queue, and the crawl ends."""
    closed = asyncio.Event()

    class HeldHandler(web.RequestHandler):
        async def get(self) -> None:
            await closed.wait()

    monkeypatch.setitem(PAGES, "/b", '<a href="/held">held</a> <a href="/a">a</a>')
    application = web.Application([("/held", HeldHandler), ("(/.*)", PageHandler)], asked=[])
    async with serving(application) as server:
        url = f"http://127.0.0.1:{server.port}/b"
        reading, writing = os.pipe()
        command = [sys.executable, "demos/webspider/main.py", f"--url={url}", "--workers=1"]
        program = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=writing, stderr=asyncio.subprocess.PIPE
        )
        os.close(writing)
        try:
            with os.fdopen(reading) as output:
                assert await asyncio.to_thread(output.readline) == f"{url}\n"
            closed.set()
            async with asyncio.timeout(30):
                _, errors = await program.communicate()
        finally:
            if program.returncode is None:
                program.kill()
                await program.communicate()
    assert (program.returncode, errors) == (1, b"")
    assert application.settings["asked"] == ["/b"]


@pytest.mark.parametrize("limit", [1, 3])
async def test_limit_on_pages(limit):
    async with serving(site()) as server:
        _, lines = await crawl(server, "/", f"--limit={limit}")
    assert len(lines) == limit + 1


def test_default_is_the_demos_own_site():
    status, output = Program("demos/webspider/main.py", []).run_to_its_end()
    lines = re.sub(r"http://127\.0\.0\.1:\d+", "", output).splitlines()
    assert lines[0] == "crawling the demo's own site /; --url=... crawls another one"
    assert sorted(lines[1:-2]) == sorted(["/", *(f"/{page}" for page in range(20))])
    assert lines[-2] == "broken: /20 (found on /19): HTTP 404: Not Found"
    assert lines[-1].startswith("22 pages, 1 broken, in ")
    assert status == 1


def test_unreachable_site():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    status, output = Program("demos/webspider/main.py", [f"--url={url}"]).run_to_its_end()
    assert status == 1
    assert f"broken: {url} (found on the command line): " in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("url", "unknown argument 'url'; usage: main.py [--url=http://localhost:8888/]"),
        ("--workers=0", "--workers and --limit must be at least 1"),
        ("--limit=many", "Option 'limit' takes a value of type int, got 'many'"),
    ],
)
def test_wrong_argument_is_reported_in_one_line(argument, message):
    status, output = Program("demos/webspider/main.py", [argument]).run_to_its_end()
    assert status == 1
    assert output.startswith(f"webspider: {message}")
    assert output.count("\n") == 1


async def test_interrupted_crawl_is_reported_as_incomplete(monkeypatch):
    """The report contains the results so far, and a note that they are incomplete."""
    asked, over = asyncio.Event(), asyncio.Event()

    class HeldHandler(web.RequestHandler):
        async def get(self) -> None:
            asked.set()
            await over.wait()

    monkeypatch.setitem(PAGES, "/b", '<a href="/none">none</a> <a href="/held">held</a>')
    application = web.Application([("/held", HeldHandler), ("(/.*)", PageHandler)], asked=[])
    async with serving(application) as server:
        command = [sys.executable, "demos/webspider/main.py", "--workers=1"]
        program = await asyncio.create_subprocess_exec(
            *command, f"--url=http://127.0.0.1:{server.port}/b", cwd=ROOT, stdout=-1, stderr=-1
        )
        try:
            async with asyncio.timeout(30):
                await asked.wait()
                program.send_signal(signal.SIGINT)
                output, errors = await program.communicate()
        finally:
            if program.returncode is None:
                program.kill()
                await program.communicate()
            over.set()
    assert (program.returncode, errors) == (130, b"")
    page, broken, count, interrupted = output.decode().splitlines()
    assert page.endswith("/b")
    assert broken.startswith("broken: ")
    assert count.startswith("2 pages, 1 broken, in ")
    assert interrupted == "interrupted: at least 1 pages were not fetched"
