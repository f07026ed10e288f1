"""The server under test: an echo server in one process.

It prints its port. For each line of standard input, it prints its state as a line of JSON. It exits when
standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

STATM = Path("/proc/self/statm")


class Echo(WebSocketHandler):
    """A handler that returns each message to the client, and counts the connections."""

    opened = 0
    closed = 0

    def open(self) -> None:
        Echo.opened += 1

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)

    def on_close(self) -> None:
        Echo.closed += 1


def state() -> dict[str, float]:
    """Return the counts of connections, the CPU time used in seconds, and the resident memory in bytes (0 if
    unknown).
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(STATM.read_text().split()[1]) if STATM.exists() else 0
    return {
        "opened": Echo.opened,
        "closed": Echo.closed,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
    }


def print_json(value: object) -> None:
    """Print a line of JSON."""
    print(json.dumps(value), flush=True)


async def main() -> None:
    """Serve until standard input ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets = bind_sockets(0, "127.0.0.1", backlog=1024)
    HTTPServer(Application([("/", Echo)])).add_sockets(sockets)
    print_json(sockets[0].getsockname()[1])
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print_json(state())


if __name__ == "__main__":
    asyncio.run(main())
