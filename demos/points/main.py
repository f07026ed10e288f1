"""A live map of some thousand moving points, for many viewers.

Install ``demos/points/requirements.txt``, run ``python demos/points/main.py`` and open
http://localhost:8888 in several windows. With ``--broker=redis://localhost`` or ``--broker=nats://localhost``,
one process moves the points, and two workers serve the viewers. ``app.py`` is the application, and
``motion.py`` moves the points.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tornado.channels import create_broker
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("broker", default="", help="redis:// or nats:// URL; by default, one process", type=str)

HERE = Path(__file__).parent


def start_motion() -> None:
    """Start the program that moves the points. It ends when all copies of the pipe are closed."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    # In a group of its own, because Ctrl-C is for the service.
    os.posix_spawn(
        sys.executable,
        [sys.executable, str(HERE / "motion.py")],
        os.environ,
        setpgroup=0,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_CLOSE, writing)],
    )
    os.close(reading)


def main() -> None:
    """Open the port, and replace this program by the production command."""
    if unknown := options.parse_command_line():
        raise Error(
            f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--broker=redis://localhost]"
        )
    create_broker(options.broker or "memory:")  # raises if the URL cannot be used
    (sock,) = bind_sockets(options.port, "127.0.0.1")
    print(f"listening on http://localhost:{sock.getsockname()[1]}", flush=True)
    sock.set_inheritable(True)
    os.environ.update(PYTHONPATH=str(HERE.resolve()), BROKER=options.broker)
    if options.broker:
        start_motion()
    command = [sys.executable, "-m", "tornado", "serve", "app:make_app", f"--bind=fd:{sock.fileno()}"]
    workers = 2 if options.broker else 1
    os.execv(sys.executable, [*command, f"--workers={workers}", "--access-log=off", "--grace=5s"])


if __name__ == "__main__":
    try:
        main()
    except (Error, ImportError, OSError, ValueError) as error:
        sys.exit(f"points: {error}")
