"""The server for `test_many_connections`, which runs in a separate process.

``many_connections_program.py asyncio|uvloop``. It prints the ports of its HTTP server and of a plain
`TCPServer`. For each line on standard input it waits until all connections have closed, and prints its
resources as JSON.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import resource
import sys
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.iostream._core import open_streams
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler


class Plain(RequestHandler):
    def get(self) -> None:
        self.write("plain")


class Awaiting(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("awaiting")


class Echo(TCPServer):
    async def handle_stream(self, stream: IOStream, address: tuple[object, ...]) -> None:
        try:
            while True:
                await stream.write(await stream.read_until(b"\n", max_bytes=100))
        except StreamClosedError:
            pass


class Mallinfo2(ctypes.Structure):
    """The statistics of the GNU C library's heap, available from version 2.33: mallinfo(3)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    )


def allocated_bytes() -> int:
    """Return the number of bytes allocated from the C library, or 0 if it does not report it.

    The resident set size is unsuitable: the amount of freed memory that the allocator does not return varies
    by megabytes.
    """
    count = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if count is None:
        return 0
    count.restype = Mallinfo2
    info = count()
    return int(info.uordblks + info.hblkhd)


def resources() -> dict[str, int]:
    """Return the resources that a connection could leave behind."""
    gc.collect()
    folder = Path("/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd")
    return {
        "descriptors": len(os.listdir(folder)),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "heap": allocated_bytes(),
        "garbage": len(gc.garbage),
    }


def print_json(value: object) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = [HTTPServer(Application([("/plain", Plain), ("/awaiting", Awaiting)])), Echo()]
    for server in servers:
        sockets = bind_sockets(0, "127.0.0.1", backlog=1024)
        server.add_sockets(sockets)
        print_json(sockets[0].getsockname()[1])
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        streams = open_streams.get(IOLoop.current())
        while streams:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # the last tasks are notified and end
        await asyncio.sleep(0)
        print_json(resources())


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    else:
        factory = asyncio.SelectorEventLoop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
