from __future__ import annotations

import asyncio
import io
import re
import socket

import pytest

from tests.support.program import ROOT, Program
from tests.support.server import serving
from tornado import web

PAGES = {
    "/": """<a href="/a">a</a> <a href="#top">top</a> <img src="/logo.png"> <a href="/none">none</a>
        <a href="mailto:ann@example.com">mail</a> <a href="/moved">moved</a>""",
    "/a": """<a href="/">home</a> <link href="/style.css"> <a href="http://[oops">oops</a>""",
}


class PageHandler(web.RequestHandler):
    def get(self, path: str) -> None:
        self.settings["asked"].append(path)
        if path.endswith((".png", ".css")):
            self.set_header("Content-Type", "image/png")
        elif path in PAGES:
            self.write(PAGES[path])
        else:
            raise web.HTTPError(404)


def site() -> web.Application:
    return web.Application([("/moved", web.RedirectHandler, {"url": "/a"}), ("(/.*)", PageHandler)], asked=[])


async def check(url: str, *arguments: str) -> tuple[int, list[str]]:
    program = Program("demos/linkcheck/main.py", [f"--url={url}", *arguments])
    status, output = await asyncio.to_thread(program.run_to_its_end)
    return status, output.replace(url.rstrip("/"), "").splitlines()


async def test_each_link_is_checked_once_and_broken_ones_are_reported():
    application = site()
    async with serving(application) as server:
        status, lines = await check(f"http://127.0.0.1:{server.port}/")
    assert status == 1
    assert lines == [
        "broken: /none (on /): HTTP 404: Not Found",
        "broken: http://[oops (on /a): malformed URL on /a",
        "6 links checked, 2 broken",
    ]
    assert sorted(application.settings["asked"]) == ["/", "/a", "/logo.png", "/none", "/style.css"]


async def test_sites_without_broken_links(monkeypatch):
    monkeypatch.setitem(PAGES, "/", '<a href="/a">a</a>')
    monkeypatch.setitem(PAGES, "/a", "<p>the end</p>")
    async with serving(site()) as server:
        assert await check(f"http://127.0.0.1:{server.port}/") == (0, ["2 links checked, 0 broken"])


@pytest.mark.parametrize("internal", [True, False])
async def test_links_to_other_sites(internal, monkeypatch):
    application = site()
    async with serving(application) as other:
        monkeypatch.setitem(PAGES, "/", f'<a href="http://127.0.0.1:{other.port}/a">other</a>')
        async with serving(site()) as server:
            arguments = ["--internal"] if internal else []
            status, lines = await check(f"http://127.0.0.1:{server.port}/", *arguments)
    assert (status, lines) == (0, [f"{1 if internal else 2} links checked, 0 broken"])
    assert application.settings["asked"] == ([] if internal else ["/a"])


@pytest.mark.parametrize("arguments", [[], ["--serve"]])
def test_demo_checks_the_site_that_it_serves(arguments):
    status, output = Program("demos/linkcheck/main.py", arguments).run_to_its_end()
    assert status == 1
    lines = re.sub(r"http://127\.0\.0\.1:\d+", "", output).splitlines()
    if not arguments:
        assert lines.pop(0) == "checking the demo's own site /; --url=... checks another one"
    assert lines == [
        "broken: /50 (on /48): HTTP 404: Not Found",
        "broken: /51 (on /49): HTTP 404: Not Found",
        "53 links checked, 2 broken",
    ]


def test_unreachable_site():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    status, output = Program("demos/linkcheck/main.py", [f"--url={url}"]).run_to_its_end()
    assert status == 1
    assert f"broken: {url} (on the command line): [Errno 111] Connection refused" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("argument", "message"),
    [("url", "unknown argument 'url'"), ("--connections=0", "--connections must be at least 1")],
)
def test_wrong_argument_is_reported_in_one_line(argument, message):
    status, output = Program("demos/linkcheck/main.py", [argument]).run_to_its_end()
    assert status == 1
    assert output.startswith(f"linkcheck: {message}")
    assert output.count("\n") == 1


def test_progress_bar():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    source = (ROOT / "demos/linkcheck/main.py").read_text()
    names: dict[str, object] = {"__name__": "linkcheck"}
    code = source[source.index("class Progress") : source.index("class LinkChecker")]
    exec(compile("from __future__ import annotations\nBAR_WIDTH = 30\n" + code, "main.py", "exec"), names)
    terminal = Terminal()
    progress = names["Progress"](terminal)  # type: ignore[operator]
    progress.show(5, 10, 1)
    assert terminal.getvalue() == "\r[" + "#" * 15 + "-" * 15 + "] 5/10 links, 1 broken"
    progress.clear()
    assert terminal.getvalue().endswith("\r\x1b[K")
