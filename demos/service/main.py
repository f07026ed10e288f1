"""A service in production: two workers, the dashboard, metrics, a JSON access log, and a small load.

Install ``demos/service/requirements.txt``, run ``python demos/service/main.py`` and open the dashboard at
http://localhost:9000. This program opens the port, starts the clients (``load.py``) and becomes
``python -m tornado serve`` with the settings of ``waterspout.toml``; ``app.py`` is the application.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tornado.netutil import bind_sockets
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("admin", default=9000, help="port of the dashboard; with --port=0, a free one", type=int)
define("rate", default=20.0, help="requests per second of the load; 0 turns it off", type=float)
define("log", default="access.log", help="file of the access log", type=str)

HERE = Path(__file__).parent


def start_load(url: str, rate: float) -> None:
    """Start the clients. They end when all copies of the pipe are closed, at the end of the service."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    command = [sys.executable, str(HERE / "load.py"), url, str(rate)]
    # In a group of its own, because Ctrl-C is for the service.
    os.posix_spawn(
        sys.executable,
        command,
        os.environ,
        setpgroup=0,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_CLOSE, writing)],
    )
    os.close(reading)


def main() -> None:
    """Open the port, start the load, and replace this program by the service."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--admin=9000]")
    (sock,) = bind_sockets(options.port, "127.0.0.1")
    port = sock.getsockname()[1]
    print(f"listening on http://localhost:{port}", flush=True)
    if options.rate > 0:
        start_load(f"http://127.0.0.1:{port}", options.rate)
    sock.set_inheritable(True)
    os.environ.update(PYTHONPATH=str(HERE.resolve()), ACCESS_LOG=os.path.abspath(options.log))
    os.execv(
        sys.executable,
        [
            *(sys.executable, "-m", "tornado", "serve"),
            f"--config={HERE / 'waterspout.toml'}",
            f"--bind=fd:{sock.fileno()}",
            f"--admin=127.0.0.1:{options.admin if options.port else 0}",
        ],
    )


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError) as error:
        sys.exit(f"service: {error}")
