"""docs/guide/options.md."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import subprocess

import pytest

from tests.support.guides import Run
from tests.support.program import PYTHON, Program

#: Programs that define global options or set up logging: each runs in its own process.
COMMANDS = {"app", "configured"}


async def check_app(run: Run) -> None:
    arguments = ("--port={port}", "--greeting=Moin", "--admins=ada@example.com,bob@example.com")
    with Program(run.folder / "app.py", arguments) as program:
        connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)
        connection.request("GET", "/")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        assert answer == {"greeting": "Moin", "admins": ["ada@example.com", "bob@example.com"]}
        assert "greeting 127.0.0.1" in program.output()
        assert "200 GET /" in program.output()
    status, output = Program(run.folder / "app.py", ["--help"]).run_to_its_end()
    assert (status, "--greeting" in output) == (0, True)


async def check_configured(run: Run) -> None:
    command = [PYTHON, "configured.py", "--config=production.conf"]
    for arguments, expected in (([], "80 postgresql"), (["--port=8080"], "8080 postgresql")):
        done = await asyncio.create_subprocess_exec(
            *command, *arguments, stdout=subprocess.PIPE, cwd=run.folder
        )
        output, _ = await done.communicate()
        assert output.decode().startswith(expected)


async def check_tool(run: Run) -> None:
    assert run.program["run"](["--count=2", "a", "b"]) == "a b a b"
    with pytest.raises(run.program["Error"], match="count"):
        run.program["run"](["--count=x"])


async def check_jsonlog(run: Run) -> None:
    entries = []
    handler = logging.Handler()
    handler.emit = lambda record: entries.append(json.loads(record.getMessage()))  # type: ignore[method-assign]
    access = logging.getLogger("access")
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    try:
        await run.server.fetch("/?secret=1")
        while not entries:
            await run.server.fetch("/")
    finally:
        access.removeHandler(handler)
        access.setLevel(logging.NOTSET)
    entry = entries[0]
    assert (entry["status"], entry["path"], entry["ip"], entry["user"]) == (200, "/", "127.0.0.1", None)
