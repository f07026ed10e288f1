"""Lint the responses of the sample application: ``scripts/compliance redbot``.

The exit status is 1 if there are faults.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from compliance.redbot import checks
from compliance.redbot.app import make_application
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets


async def examine() -> list[str]:
    """Serve the application and lint it."""
    for name in ("tornado.access", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="redbot-") as folder:
        server = HTTPServer(make_application(Path(folder)))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        try:
            return await asyncio.to_thread(checks.faults, sockets[0].getsockname()[1])
        finally:
            server.stop()
            await server.close_all_connections()


def main() -> int:
    """Install REDbot if necessary, and lint."""
    checks.install()
    found = asyncio.run(examine())
    print("\n".join(found) or f"{len(checks.CHECKS)} responses: no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
