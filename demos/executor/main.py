"""Work that blocks, in threads: a password is hashed for seconds while others are answered as ever.

Run it with ``python demos/executor/main.py``, open http://localhost:8888 and watch the pulse while you hash.
Ctrl-C lets the jobs in hand end and answers them; those that wait for a thread are answered with 503.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 for any that is free", type=int)
define("threads", default=2, help="jobs to do at a time", type=int)
define("waiting", default=8, help="jobs that may wait for a thread", type=int)

HERE = Path(__file__).parent
P = ParamSpec("P")
T = TypeVar("T")


def derive(password: str, rounds: int) -> dict[str, str | float]:
    """Hash a password, slowly. (The function lets go of Python's lock, so that other threads run meanwhile.)

    It runs in a thread: what it needs it is given, and it touches no handler and no connection.
    """
    start = time.monotonic()
    key = hashlib.scrypt(
        password.encode(), salt=os.urandom(16), n=2**14, r=8, p=rounds, maxmem=2**26, dklen=32
    )
    return {
        "key": key.hex(),
        "seconds": round(time.monotonic() - start, 2),
        "thread": threading.current_thread().name,
    }


class Workshop:
    """Threads, and a limit on the jobs that wait for one: a queue that only grows helps nobody."""

    def __init__(self, threads: int, waiting: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="workshop")
        self.jobs = 0
        self.threads = threads
        self.limit = threads + waiting
        self.closing = False
        self.idle = asyncio.Event()

    async def do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads, and wait for what it returns or raises.

        :raises HTTPError: 503, if there are too many jobs already, or the workshop closes before its turn.
        """
        if self.closing:
            raise web.HTTPError(503, "closing")
        if self.jobs >= self.limit:
            raise web.HTTPError(503, "%d jobs are under way", self.jobs)
        self.jobs += 1
        try:
            return await IOLoop.current().run_in_executor(self.executor, lambda: function(*args, **kwargs))
        except asyncio.CancelledError:
            if not self.closing:
                raise
            raise web.HTTPError(503, "closing before the job began") from None
        finally:
            self.jobs -= 1
            if not self.jobs:
                self.idle.set()

    async def close(self) -> None:
        """Begin no job any more, and wait for those that have begun: a thread cannot be interrupted."""
        self.closing = True
        self.executor.shutdown(wait=False, cancel_futures=True)
        if self.jobs:
            print(f"jobs under way to wait for: {min(self.jobs, self.threads)}", flush=True)
            self.idle.clear()
            await self.idle.wait()


class WorkshopHandler(web.RequestHandler):
    """What the handlers share: the one workshop of this application."""

    @property
    def workshop(self) -> Workshop:
        workshop: Workshop = self.settings["workshop"]
        return workshop


class PageHandler(WorkshopHandler):
    """The page."""

    def get(self) -> None:
        self.render("index.html")


class HashHandler(WorkshopHandler):
    """Takes a password, and answers when the work is done."""

    max_body_size = 8192

    async def post(self) -> None:
        password = self.get_argument("password")
        rounds = self.get_argument("rounds", 40, type=int)
        if not 1 <= rounds <= 200:
            raise web.HTTPError(400, "rounds is a number from 1 to 200")
        self.write(await self.workshop.do(derive, password, rounds))


class PulseHandler(WorkshopHandler):
    """Answers at once, whatever the threads are doing: the loop is free."""

    def get(self) -> None:
        self.write({"jobs": self.workshop.jobs})


def make_app(workshop: Workshop) -> web.Application:
    """The application, for ``main`` and for tests."""
    return web.Application(
        [
            (r"/", PageHandler),
            (r"/hash", HashHandler),
            (r"/pulse", PulseHandler),
        ],
        workshop=workshop,
        cross_origin_protection=True,  # other sites' pages may not keep the threads busy
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
    )


async def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(
            f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--threads=2] [--waiting=8]"
        )
    workshop = Workshop(options.threads, options.waiting)
    sockets = bind_sockets(options.port)
    server = HTTPServer(make_app(workshop))
    server.add_sockets(sockets)
    print(f"listening on http://localhost:{sockets[0].getsockname()[1]}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        await workshop.close()
        await server.close_all_connections()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (Error, OSError, ValueError) as error:
        sys.exit(f"executor: {error}")
