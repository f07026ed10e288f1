"""Sends lines to the server in ``main.py`` and prints the responses.

``python demos/tcpecho/client.py hello "a second line"`` sends its arguments; without arguments it sends the
lines of standard input.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.options import Error, define, options
from tornado.tcpclient import TCPClient

define("host", default="localhost", help="host of the server")
define("port", default=8888, help="port of the server", type=int)


async def typed() -> AsyncIterator[str]:
    """Yield the lines of standard input. Reading them blocks, so it happens in a thread."""
    while line := await IOLoop.current().run_in_executor(None, sys.stdin.readline):
        yield line.removesuffix("\n")


async def given(lines: list[str]) -> AsyncIterator[str]:
    """Yield the arguments of the command line."""
    for line in lines:
        yield line


async def main() -> None:
    """Send each line, and print the response before sending the next one."""
    arguments = options.parse_command_line()
    stream = await TCPClient().connect(options.host, options.port)
    try:
        async for line in given(arguments) if arguments else typed():
            await stream.write(line.encode() + b"\n")
            answer = await stream.read_until(b"\n")
            print(answer.decode(), end="", flush=True)
    finally:
        stream.close()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except StreamClosedError as error:
        sys.exit(f"client: {error.real_error or 'the server has closed the connection'}")
    except (Error, OSError, ValueError) as error:
        sys.exit(f"client: {error}")
