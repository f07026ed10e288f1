"""The tested server: ``python -m compliance.faults.server --control=PATH [--port=N] …``.

It prints its port when it is ready. It is controlled through the Unix socket ``--control``: ``GET /state``
returns its resources after a garbage collection, ``POST /faults?on=1`` starts and stops the injection.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from compliance.faults.inject import Faults
from tornado.httpserver import HTTPServer
from tornado.log import enable_pretty_logging
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application, RequestHandler, StaticFileHandler, stream_request_body

#: The body of /big and /file; /stream sends the same body in pieces.
BIG = bytes(range(256)) * 4096
PIECES = 16


def holdings() -> dict[str, int]:
    """Return the resources of this process: descriptors, tasks, objects after a collection, resident memory
    in KiB.
    """
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "rss": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    }


class Plain(RequestHandler):
    """A handler that responds immediately."""

    def get(self) -> None:
        self.write("Hello, world")


class Later(RequestHandler):
    """A handler that responds in a later event loop iteration."""

    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("Hello, world")


class Big(RequestHandler):
    """A handler with a large response."""

    def get(self) -> None:
        self.write(BIG)


class Stream(RequestHandler):
    """A handler that sends the body of `Big` in pieces, and awaits a flush after each."""

    async def get(self) -> None:
        size = len(BIG) // PIECES
        for start in range(0, len(BIG), size):
            self.write(BIG[start : start + size])
            await self.flush()


class Whole(RequestHandler):
    """A handler that responds with the digest of a buffered body."""

    def post(self) -> None:
        self.write(hashlib.sha256(self.request.body).hexdigest())


@stream_request_body
class Upload(RequestHandler):
    """A handler that responds with the digest of a streamed body."""

    def prepare(self) -> None:
        self._digest = hashlib.sha256()

    def data_received(self, chunk: bytes) -> None:
        self._digest.update(chunk)

    def post(self) -> None:
        self.write(self._digest.hexdigest())


class Wait(RequestHandler):
    """A handler that waits, like a long poll, until its client disconnects."""

    async def get(self) -> None:
        self._left = asyncio.Event()
        await self._left.wait()

    def on_connection_close(self) -> None:
        self._left.set()


class State(RequestHandler):
    """A handler that responds with the resources of the process, and the faults so far."""

    def get(self) -> None:
        faults: Faults = self.settings["faults"]
        connections = len(self.settings["server"]._connections)
        counts = {"faults": faults.counts.total(), "harmless": faults.harmless.total()}
        self.write({**holdings(), "connections": connections, **counts, "calls": dict(faults.counts)})


class Switch(RequestHandler):
    """A handler that starts and stops the injection."""

    def post(self) -> None:
        self.settings["faults"].enabled = self.get_argument("on") == "1"


def application(folder: str) -> Application:
    """Return the application for the load."""
    (Path(folder) / "file").write_bytes(BIG)
    routes: list[Any] = [
        ("/", Plain),
        ("/later", Later),
        ("/big", Big),
        ("/stream", Stream),
        ("/whole", Whole),
        ("/upload", Upload),
        ("/wait", Wait),
        ("/(file)", StaticFileHandler, {"path": folder}),
    ]
    return Application(routes)


async def serve(arguments: argparse.Namespace, faults: Faults, folder: str) -> None:
    """Serve until the process is terminated."""
    tls = {"certfile": arguments.certificate, "keyfile": arguments.key} if arguments.certificate else None
    server = HTTPServer(
        application(folder),
        ssl_options=tls,
        idle_connection_timeout=arguments.timeout,
        body_timeout=arguments.timeout,
    )
    listening = bind_sockets(arguments.port, arguments.address)
    if arguments.send_buffer:
        for listener in listening:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, arguments.send_buffer)
    server.add_sockets(listening)
    control = HTTPServer(Application([("/state", State), ("/faults", Switch)], server=server, faults=faults))
    control.add_sockets([bind_unix_socket(arguments.control)])
    print(listening[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control", required=True, help="path of the Unix socket for control requests")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="timeout of idle connections and of bodies in seconds"
    )
    parser.add_argument("--send-buffer", type=int, default=0, help="SO_SNDBUF of connections in bytes")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument(
        "--calls", default="", help="comma-separated list of failing calls: recv, send, accept"
    )
    parser.add_argument("--probability", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exhausted", action="store_true", help="accept fails for lack of descriptors")
    arguments = parser.parse_args()
    faults = Faults(
        arguments.probability, arguments.calls.split(","), arguments.seed, exhausted=arguments.exhausted
    )
    faults.install()
    enable_pretty_logging()
    factory = None
    if arguments.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(arguments, faults, folder))


if __name__ == "__main__":
    main()
