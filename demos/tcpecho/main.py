"""A TCP server that sends every line back to the client.

Run it with ``python demos/tcpecho/main.py``, and ``python demos/tcpecho/client.py hello`` in another
terminal.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options
from tornado.tcpserver import TCPServer

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)

#: The maximum length of a line in bytes. Without it, a client could fill the memory with an endless line.
MAX_LINE = 64 * 1024

log = logging.getLogger("tcpecho")


class EchoServer(TCPServer):
    """A server with a coroutine for each connection."""

    async def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        """Send back every line until the client closes the connection or sends a line that is too long."""
        log.info("%s: connected", address)
        lines = 0
        try:
            while True:
                line = await stream.read_until(b"\n", max_bytes=MAX_LINE)
                # Waiting for the write limits the memory used for a client that sends and does not read.
                await stream.write(line)
                lines += 1
        except StreamClosedError:
            log.info("%s: disconnected after %d lines", address, lines)


async def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888]")
    sockets = bind_sockets(options.port)
    EchoServer().add_sockets(sockets)
    print(f"listening on localhost:{sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (Error, OSError, ValueError) as error:
        sys.exit(f"tcpecho: {error}")
