#!/usr/bin/env python3
# ruff: noqa: PT018 - a failed check shows its response
"""Run demos of an older release's source package on Waterspout, and check their responses.

``.venv/bin/python compliance/upstream/demos.py --version 4.5.3``; README.md in this folder lists the demos.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

from run import SOURCES, source_package

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import websocket_connect

sys.path.append(str(Path(__file__).parents[2]))  # the root of the repository: this file is run as a program
from tests.support.databases import USER, running_postgresql

#: The maximum time in seconds until a demo opens its port.
START = 20


def free_port() -> int:
    """Return an unused port: the demos need a port number."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def started(program: Path, *arguments: str) -> AsyncIterator[int]:
    """Run a demo on a free port, and yield the port once it accepts connections."""
    port = free_port()
    async with serving(port, program.parent, program.name, f"--port={port}", *arguments):
        yield port


@contextlib.asynccontextmanager
async def serving(port: int, folder: Path, *arguments: str) -> AsyncIterator[None]:
    """Run Python with these arguments; the block starts once the port accepts connections."""
    command = [sys.executable, "-W", "ignore", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(START):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    if process.returncode is not None:
                        assert process.stderr is not None
                        raise RuntimeError((await process.stderr.read()).decode()) from None
                    await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def fetch(url: str, **options: object) -> HTTPResponse:
    """Return the response, whatever its status; redirects are not followed."""
    request = HTTPRequest(url, follow_redirects=False, **options)  # type: ignore[arg-type]
    return await AsyncHTTPClient().fetch(request, raise_error=False)


async def finished(command: list[str], folder: Path) -> str:
    """Run a program to its end and return its output.

    :raises RuntimeError: with the output, if the program fails.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{command} ended with status {process.returncode}:\n{output}")
    return output


def replace(program: Path, old: str, new: str) -> None:
    """Replace an address that is a constant in a demo; only the copy of this run is changed."""
    text = program.read_text()
    if old not in text:
        raise LookupError(f"{program} does not contain {old!r}")
    program.write_text(text.replace(old, new))


@contextlib.asynccontextmanager
async def local_site(pages: dict[str, str]) -> AsyncIterator[str]:
    """Serve pages in this process; yield their base address, without a slash at its end."""

    class Page(RequestHandler):
        def get(self, path: str) -> None:
            if path not in pages:
                raise HTTPError(404)
            self.finish(pages[path])

        post = get

    server = HTTPServer(Application([(r"/(.*)", Page)]))
    port = free_port()
    server.listen(port, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()


async def helloworld(demos: Path) -> None:
    async with started(demos / "helloworld/helloworld.py") as port:
        response = await fetch(f"http://127.0.0.1:{port}/")
        assert (response.code, response.body) == (200, b"Hello, world"), response


async def chat(demos: Path) -> None:
    """Check that a long poll receives the message that another request posts."""
    async with started(demos / "chat/chatdemo.py", "--debug=false") as port:
        base = f"http://127.0.0.1:{port}"
        page = await fetch(f"{base}/")
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.body.decode())
        assert page.code == 200 and token, page
        headers = {"Cookie": page.headers["Set-Cookie"].partition(";")[0]}
        fields = {"_xsrf": token[1], "body": "hello there"}
        poll = asyncio.ensure_future(
            fetch(f"{base}/a/message/updates", method="POST", headers=headers, body=urlencode(fields))
        )
        while not poll.done():  # the first message may arrive before the poll
            posted = await fetch(
                f"{base}/a/message/new", method="POST", headers=headers, body=urlencode(fields)
            )
            assert posted.code == 200 and json.loads(posted.body)["body"] == "hello there", posted
            await asyncio.wait([poll], timeout=0.2)
        assert json.loads((await poll).body)["messages"][0]["body"] == "hello there"


async def websocket(demos: Path) -> None:
    """Check that both clients receive one client's message as HTML, and that a later page contains it."""
    async with started(demos / "websocket/chatdemo.py") as port:
        url = f"ws://127.0.0.1:{port}/chatsocket"
        first, second = await websocket_connect(url), await websocket_connect(url)
        await first.write_message(json.dumps({"body": "<hello>"}))
        for client in (first, second):
            message = json.loads(str(await client.read_message()))
            assert message["body"] == "<hello>" and "&lt;hello&gt;" in message["html"], message
            client.close()
        page = await fetch(f"http://127.0.0.1:{port}/")
        assert page.code == 200 and b"&lt;hello&gt;" in page.body, page


async def tcpecho(demos: Path) -> None:
    async with started(demos / "tcpecho/server.py") as port:
        command = [sys.executable, "-W", "ignore", "client.py", f"--port={port}", "--message=over and back"]
        output = await finished(command, demos / "tcpecho")
        assert output.count("over and back") == 2, output


async def facebook(demos: Path) -> None:
    """Check that a visitor is redirected to the login, and from there to Facebook."""
    keys = ["--facebook_api_key=key", "--facebook_secret=secret"]
    async with started(demos / "facebook/facebook.py", *keys) as port:
        base = f"http://127.0.0.1:{port}"
        page = await fetch(f"{base}/")
        assert page.code == 302 and page.headers["Location"].startswith("/auth/login"), page
        login = await fetch(f"{base}/auth/login")
        target = login.headers["Location"]
        assert login.code == 302 and target.startswith("https://www.facebook.com/dialog/oauth?"), login
        assert "client_id=key" in target, target


async def file_upload(demos: Path) -> None:
    """Send two files as a form and one as a stream, and check that the receiver logs their sizes."""
    folder, port = demos / "file_upload", free_port()
    for name in ("file_receiver.py", "file_uploader.py"):
        replace(folder / name, "8888", str(port))
    log = folder / "receiver.log"
    (folder / "large.bin").write_bytes(bytes(100_000))
    (folder / "small.txt").write_text("small")
    upload = [sys.executable, "-W", "ignore", "file_uploader.py"]
    async with serving(port, folder, "file_receiver.py", f"--log-file-prefix={log}"):
        await finished([*upload, "large.bin", "small.txt"], folder)
        await finished([*upload, "--put", "large.bin"], folder)
        received = log.read_text()
    for line in (
        'POST "large.bin" "application/octet-stream" 100000 bytes',
        'POST "small.txt" "text/plain" 5 bytes',
        'PUT "large.bin" "application/octet-stream" 100000 bytes',
    ):
        assert line in received, received


async def webspider(demos: Path) -> None:
    """Check that the spider fetches each page below its start page once, and no other page."""
    link = '<a href="{}">page</a>'.format
    pages = {
        "site/": link("one") + link("two#part"),
        "site/one": link("two") + link("/other"),
        "site/two": link("one"),
        "other": "",
    }
    async with local_site(pages) as base:
        replace(demos / "webspider/webspider.py", "http://www.tornadoweb.org/en/stable/", f"{base}/site/")
        output = await finished([sys.executable, "-W", "ignore", "webspider.py"], demos / "webspider")
    assert "fetched 3 URLs" in output and "Exception" not in output, output


async def twitter(demos: Path) -> None:
    """Check the redirect to the login, and from there, with a request token, to a substitute for Twitter."""
    folder = demos / "twitter"
    keys = "twitter_consumer_key = 'key'\ntwitter_consumer_secret = 'secret'\n"
    (folder / "secrets.cfg").write_text(keys)
    async with local_site({"token": "oauth_token=granted&oauth_token_secret=s"}) as provider:
        (folder / "local_twitter.py").write_text(
            "import runpy\n"
            "from tornado.auth import TwitterMixin\n"
            f"TwitterMixin._OAUTH_REQUEST_TOKEN_URL = '{provider}/token'\n"
            "runpy.run_path('twitterdemo.py', run_name='__main__')\n"
        )
        async with started(folder / "local_twitter.py") as port:
            page = await fetch(f"http://127.0.0.1:{port}/")
            assert page.code == 302 and page.headers["Location"].startswith("/login"), page
            login = await fetch(f"http://127.0.0.1:{port}/login")
            target = login.headers.get("Location", "")
            assert login.code == 302 and "oauth/authorize?oauth_token=granted" in target, (login, target)


async def benchmark(demos: Path) -> None:
    """Check that the benchmarks run to completion; chunk_benchmark is only run if pycurl is installed."""
    folder = demos / "benchmark"
    python = [sys.executable, "-W", "ignore"]
    contexts = (
        "from stack_context_benchmark import *\nStackBenchmark().enter_exit(50)\n"
        "ExceptionBenchmark().call_wrapped(50)\nprint('done')"
    )
    output = await finished([*python, "gen_benchmark.py", "--num=20"], folder)
    assert "engine: " in output and "coroutine: " in output, output
    output = await finished([*python, "template_benchmark.py", "--num=2"], folder)
    assert "ms per iteration" in output, output
    output = await finished(
        [
            *python,
            "-c",
            contexts,
        ],
        folder,
    )
    assert "done" in output, output
    if importlib.util.find_spec("pycurl"):
        chunks = (
            "import builtins, sys\nbuiltins.xrange = range\n"
            f"sys.argv[1:] = ['--port={free_port()}', '--num_chunks=20']\n"
            "import chunk_benchmark\nchunk_benchmark.main()"
        )
        output = await finished([*python, "-c", chunks], folder)
        assert output.count("fetch completed in") == 2, output
    if shutil.which("ab"):
        output = await finished([*python, "benchmark.py", "--n=200", "--c=5", "--quiet"], folder)
        assert re.search(r"Complete requests: +200\n", output), output
        assert re.search(r"Failed requests: +0\n", output), output


async def s3server(demos: Path) -> None:
    """Create, list and remove buckets; read and remove objects.

    Storing an object needs Python 2: the demo writes the request body to a text file. The program supplies
    names that Python 3 lacks. In 4.5.3, lib2to3 translates ``keys()[0]``, and ``utf8`` returns a str, as in
    Python 2, because the demo adds its result to a str.
    """
    folder, port = demos / "s3server", free_port()
    store = folder / "store"
    translate = [sys.executable, "-W", "ignore", "-m", "lib2to3", "-f", "dict", "-w", "-n"]
    await finished([*translate, "s3server.py"], folder)
    program = (
        "import builtins, urllib, urllib.parse\n"
        "builtins.unicode, builtins.long, urllib.unquote = str, int, urllib.parse.unquote\n"
        "import s3server, types\n"
        "s3server.escape = types.SimpleNamespace(**vars(s3server.escape))\n"
        "s3server.escape.utf8 = s3server.escape.native_str\n"
        f"s3server.start({port}, {str(store)!r}, 0)"
    )
    async with serving(port, folder, "-c", program):
        base = f"http://127.0.0.1:{port}"
        made = await fetch(f"{base}/shelf/", method="PUT", body="")
        assert made.code == 200 and (store / "shelf").is_dir(), made
        listed = await fetch(f"{base}/")
        assert listed.code == 200 and b"<Name>shelf</Name>" in listed.body, (listed, listed.body)
        (store / "shelf" / "book").write_text("text")
        content = await fetch(f"{base}/shelf/")
        assert content.code == 200 and b"<Key>book</Key>" in content.body, (content, content.body)
        full = await fetch(f"{base}/shelf/", method="DELETE")
        assert full.code == 403, full
        book = await fetch(f"{base}/shelf/book")
        assert (book.code, book.body) == (200, b"text"), book
        assert book.headers["Last-Modified"].endswith("GMT"), book.headers
        dropped = await fetch(f"{base}/shelf/book", method="DELETE")
        assert dropped.code == 204 and not (store / "shelf" / "book").exists(), dropped
        removed = await fetch(f"{base}/shelf/", method="DELETE")
        assert removed.code == 204 and not (store / "shelf").exists(), removed


async def blog(demos: Path) -> None:
    """Register an author in PostgreSQL, sign in, write an entry, and check that the other pages show it.

    The demo's packages are installed in a temporary folder. Of the database, only the schema is created here.
    """
    folder, port = demos / "blog", free_port()
    with tempfile.TemporaryDirectory() as packages, running_postgresql() as database:
        packages_wanted = ["aiopg", "bcrypt", "markdown", "psycopg2-binary"]
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, *packages_wanted]
        await finished(install, folder)
        account = [f"--{name}={value}" for name, value in BLOG_DATABASE.items()]
        program = (
            f"import runpy, sys\nsys.path.append({packages!r})\n"
            "runpy.run_path('blog.py', run_name='__main__')"
        )
        async with serving(
            port, folder, "-c", program, f"--port={port}", f"--db_port={database.port}", *account
        ):
            base = f"http://127.0.0.1:{port}"
            form = await fetch(f"{base}/auth/create")
            cookies = _cookies(form)
            token = cookies["_xsrf"]
            author = {"name": "Ada", "email": "ada@example.com", "password": "correct horse", "_xsrf": token}
            created = await _post(f"{base}/auth/create", author, cookies)
            assert created.code == 302, (created, created.body)
            cookies |= _cookies(created)
            entry = {"title": "First entry", "markdown": "Some *emphasis*.", "_xsrf": token}
            composed = await _post(f"{base}/compose", entry, cookies)
            assert (composed.code, composed.headers["Location"]) == (302, "/entry/first-entry"), composed
            for path in ("/", "/archive", "/entry/first-entry", "/feed"):
                page = await fetch(base + path)
                assert page.code == 200 and b"First entry" in page.body, (path, page, page.body)
            wrong = {"email": author["email"], "password": "wrong", "_xsrf": token}
            refused = await _post(f"{base}/auth/login", wrong, {"_xsrf": token})
            assert refused.code == 200 and b"incorrect password" in refused.body, (refused, refused.body)
            right = {**wrong, "password": author["password"]}
            signed_in = await _post(f"{base}/auth/login", right, {"_xsrf": token})
            assert signed_in.code == 302, (signed_in, signed_in.body)


#: The role and the database of the blog, as options of the demo.
BLOG_DATABASE = {"db_user": USER, "db_database": "postgres", "db_password": "unused"}


def _cookies(response: HTTPResponse) -> dict[str, str]:
    """Return the cookies that a response sets."""
    pairs = (line.partition(";")[0].partition("=") for line in response.headers.get_list("Set-Cookie"))
    return {name: value for name, _, value in pairs}


async def _post(url: str, form: dict[str, str], cookies: dict[str, str]) -> HTTPResponse:
    """Send a form with these cookies."""
    line = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return await fetch(url, method="POST", body=urlencode(form), headers={"Cookie": line})


CHECKS: dict[str, Callable[[Path], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        helloworld,
        chat,
        websocket,
        tcpecho,
        facebook,
        file_upload,
        webspider,
        twitter,
        benchmark,
        s3server,
        blog,
    )
}


#: Demos that depend on packages that exist only for Python 2, by release and name.
PYTHON_2_ONLY = {("4.5.3", "blog"): "torndb, which is for Python 2"}


def check(version: str, names: list[str]) -> int:
    """Run the checks, all of them if there are no names; return 1 if any failed.

    A demo that is missing from the source package of the release is reported as absent.
    """
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(source_package(version)) as content:
            content.extractall(folder, filter="data")
        demos = Path(folder) / f"tornado-{version}" / "demos"
        for name in names or CHECKS:
            if not (demos / name).is_dir():
                print(f"{name}: absent from {version}")
                continue
            if (version, name) in PYTHON_2_ONLY:
                print(f"{name}: needs {PYTHON_2_ONLY[version, name]}")
                continue
            try:
                asyncio.run(asyncio.wait_for(CHECKS[name](demos), 60))
                print(f"{name}: passed")
            except Exception:
                failed += 1
                print(f"{name}: failed")
                traceback.print_exc()
    return 1 if failed else 0


def main() -> int:
    """Run the checks that the command line names; return 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demos", nargs="*", help=f"of {', '.join(CHECKS)}; none for all")
    parser.add_argument("--version", default="4.5.3", choices=list(SOURCES))
    asked = parser.parse_args()
    return check(asked.version, asked.demos)


if __name__ == "__main__":
    sys.exit(main())
