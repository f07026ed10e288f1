"""Chat rooms on channels: presence, typing, history, and connections that are restored without loss.

Install ``demos/channels/requirements.txt``, run ``python demos/channels/main.py`` and open
http://localhost:8888 in several windows. With ``--broker=redis://localhost`` or ``--broker=nats://localhost``,
two processes share the rooms, and a client may be connected to any of them. ``app.py`` is the application.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from tornado.channels import create_broker
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("broker", default="", help="redis:// or nats:// URL; by default, one process", type=str)
define("workers", default=0, help="worker processes; by default 2 with a broker, otherwise 1", type=int)

HERE = Path(__file__).parent


def main() -> None:
    """Open the port, and replace this program by the production command."""
    if unknown := options.parse_command_line():
        raise Error(
            f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--broker=redis://localhost]"
        )
    workers = options.workers or (2 if options.broker else 1)
    if workers > 1 and not options.broker:
        raise Error("--workers needs --broker: without a broker, each process would have rooms of its own")
    create_broker(options.broker or "memory:")  # raises if the URL cannot be used
    (sock,) = bind_sockets(options.port, "127.0.0.1")
    print(f"listening on http://localhost:{sock.getsockname()[1]}", flush=True)
    sock.set_inheritable(True)
    os.environ.update(
        PYTHONPATH=str(HERE.resolve()), BROKER=options.broker, COOKIE_SECRET=secrets.token_hex(32)
    )
    command = [sys.executable, "-m", "tornado", "serve", "app:make_app", f"--bind=fd:{sock.fileno()}"]
    os.execv(sys.executable, [*command, f"--workers={workers}", "--access-log=off", "--grace=5s"])


if __name__ == "__main__":
    try:
        main()
    except (Error, ImportError, OSError, ValueError) as error:
        sys.exit(f"channels: {error}")
