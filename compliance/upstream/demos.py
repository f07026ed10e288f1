#!/usr/bin/env python3
# ruff: noqa: PT018 - a failed check shows its response
"""Run demos of an older release's source package as programs on ours, and check what they answer.

``.venv/bin/python compliance/upstream/demos.py --version 4.5.3``; README.md beside this file lists the demos.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
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
from tornado.websocket import websocket_connect

#: Seconds that a demo may take to open its port.
START = 20


def free_port() -> int:
    """Return a port that is free now: the demos take theirs by number."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def started(program: Path, *arguments: str) -> AsyncIterator[int]:
    """Run a demo on a free port, which is given once it accepts connections."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", program.name, f"--port={port}", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=program.parent, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stderr=subprocess.PIPE
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
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def fetch(url: str, **options: object) -> HTTPResponse:
    """Return a response of any status, a redirect included."""
    request = HTTPRequest(url, follow_redirects=False, **options)  # type: ignore[arg-type]
    return await AsyncHTTPClient().fetch(request, raise_error=False)


async def helloworld(demos: Path) -> None:
    async with started(demos / "helloworld/helloworld.py") as port:
        response = await fetch(f"http://127.0.0.1:{port}/")
        assert (response.code, response.body) == (200, b"Hello, world"), response


async def chat(demos: Path) -> None:
    """A long poll gets the message that another request posts."""
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
        while not poll.done():  # the first message may come before the poll does
            posted = await fetch(
                f"{base}/a/message/new", method="POST", headers=headers, body=urlencode(fields)
            )
            assert posted.code == 200 and json.loads(posted.body)["body"] == "hello there", posted
            await asyncio.wait([poll], timeout=0.2)
        assert json.loads((await poll).body)["messages"][0]["body"] == "hello there"


async def websocket(demos: Path) -> None:
    """What one client sends both receive, as HTML, and the next page shows it."""
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
        client = await asyncio.create_subprocess_exec(
            *command, cwd=demos / "tcpecho", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await client.communicate()
        assert client.returncode == 0 and out.count(b"over and back") == 2, (out, err)


async def facebook(demos: Path) -> None:
    """A visitor is sent to the login, and from there to Facebook."""
    keys = ["--facebook_api_key=key", "--facebook_secret=secret"]
    async with started(demos / "facebook/facebook.py", *keys) as port:
        base = f"http://127.0.0.1:{port}"
        page = await fetch(f"{base}/")
        assert page.code == 302 and page.headers["Location"].startswith("/auth/login"), page
        login = await fetch(f"{base}/auth/login")
        target = login.headers["Location"]
        assert login.code == 302 and target.startswith("https://www.facebook.com/dialog/oauth?"), login
        assert "client_id=key" in target, target


CHECKS: dict[str, Callable[[Path], Awaitable[None]]] = {
    check.__name__: check for check in (helloworld, chat, websocket, tcpecho, facebook)
}


def main() -> int:
    """Run the checks; 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demos", nargs="*", help=f"of {', '.join(CHECKS)}; none for all")
    parser.add_argument("--version", default="4.5.3", choices=list(SOURCES))
    asked = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(source_package(asked.version)) as content:
            content.extractall(folder, filter="data")
        demos = Path(folder) / f"tornado-{asked.version}" / "demos"
        for name in asked.demos or CHECKS:
            try:
                asyncio.run(asyncio.wait_for(CHECKS[name](demos), 60))
                print(f"{name}: passed")
            except Exception:
                failed += 1
                print(f"{name}: failed")
                traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
