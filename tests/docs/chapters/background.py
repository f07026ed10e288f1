"""docs/guide/background.md."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import signal
import threading
import time
from urllib.parse import urlencode

from tests.support.guides import Run
from tornado.httpclient import AsyncHTTPClient
from tornado.netutil import bind_sockets

FORM = "Content-Type: application/x-www-form-urlencoded"


async def post(run: Run, path: str, **values: str) -> tuple[int, object]:
    response = await run.server.fetch(path, FORM, method="POST", body=urlencode(values).encode())
    return response.code, json.loads(response.body)


async def check_jobs(run: Run) -> None:
    assert await post(run, "/jobs", text="hello") == (202, {"job": 1})
    while (result := json.loads((await run.server.fetch("/jobs/1")).body))["result"] == "waiting":
        pass
    assert result == {"job": 1, "result": "HELLO"}
    assert json.loads((await run.server.fetch("/jobs/7")).body)["result"] == "unknown"


async def check_together(run: Run) -> None:
    report = json.loads((await run.server.fetch("/report")).body)
    assert report == {"users": "data of users", "orders": "data of orders"}
    optional = await run.server.fetch("/optional?seconds=0")
    assert json.loads(optional.body) == {"news": "no news today"}


async def check_later(run: Run) -> None:
    for path in ("/sign-up", "/invite"):
        await post(run, path, address=path)
        while path not in run.program["SENT"]:
            await asyncio.sleep(0)


async def check_periodic(run: Run) -> None:
    assert json.loads((await run.server.fetch("/")).body) == {"addresses": 1}
    run.program["SEEN"]["192.0.2.1"] = time.monotonic() - 7200
    await run.program["expire"]()
    assert list(run.program["SEEN"]) == ["127.0.0.1"]


async def check_workers(run: Run) -> None:
    """The program runs each job once, and at most three jobs at a time."""
    busy = highest = 0

    async def work(job: int) -> int:
        nonlocal busy, highest
        busy += 1
        highest = max(highest, busy)
        await asyncio.sleep(0)
        busy -= 1
        return job

    assert sorted(await run.program["process_all"](range(20), work)) == list(range(20))
    assert highest == 3


async def check_blocking(run: Run) -> None:
    file = run.folder / "file"
    file.write_bytes(b"x")
    assert await run.program["digest_of"](file) == hashlib.sha256(b"x").hexdigest()


async def check_processes(run: Run) -> None:
    # The other process imports the module by its name.
    run.program["Primes"].get.__globals__["primes"] = importlib.import_module("processes").primes
    assert json.loads((await run.server.fetch("/primes/100")).body) == {"primes": 25}


async def check_cancel(run: Run) -> None:
    peer = await run.server.connect()
    peer.get("/slow")
    while not run.program["EVENTS"]:
        await asyncio.sleep(0)
    await peer.close()
    while len(run.program["EVENTS"]) < 2:
        await asyncio.sleep(0)
    assert run.program["EVENTS"] == ["started", "cleaned up"]


async def check_threads(run: Run) -> None:
    """The program receives the numbers from its thread, and ends on a signal."""
    before = signal.getsignal(signal.SIGTERM)
    running = asyncio.create_task(run.program["measurements"]())
    try:
        while signal.getsignal(signal.SIGTERM) == before:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == [0, 1, 2]
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


async def check_loops(run: Run) -> None:
    """The event loops of all threads serve the same sockets, and end."""
    sockets, stopping = bind_sockets(0, "127.0.0.1"), threading.Event()
    threads = run.program["start"](sockets, stopping, 3)
    port = sockets[0].getsockname()[1]
    try:
        client = AsyncHTTPClient()
        responses = await asyncio.gather(*(client.fetch(f"http://127.0.0.1:{port}/") for _ in range(9)))
        assert [each.body for each in responses] == [b"hello"] * 9
    finally:
        stopping.set()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        for each in sockets:
            each.close()
