"""A server that ends at SIGTERM and SIGHUP without regard to requests: ``careless_service.py PORT``."""

from __future__ import annotations

import asyncio
import os
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request after 50 ms."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"POST"):
                await reader.readexactly(20)
            await asyncio.sleep(0.05)
            body = f"1 {os.getpid()}".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            if b"connection: close" in head.lower():
                break
    except (OSError, EOFError):
        pass
    writer.close()


async def main() -> None:
    """Serve until a signal ends the process."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
