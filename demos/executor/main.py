"""Blocking work in threads: the server hashes a password for seconds and still responds to other requests.

Run it with ``python demos/executor/main.py``, open http://localhost:8888 and watch the response times while a
password is hashed. After Ctrl-C, the jobs are finished and their responses sent, for at most 30 seconds. Jobs
that still run then are finished without a response, because a thread cannot be interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tornado import web
from tornado.ioloop import IOLoop
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("threads", default=2, help="jobs that run at the same time", type=int)
define("waiting", default=8, help="jobs that may wait for a thread", type=int)

HERE = Path(__file__).parent
P = ParamSpec("P")
T = TypeVar("T")


def derive(password: str, rounds: int) -> dict[str, str | float]:
    """Hash a password, slowly. scrypt releases the GIL, so other threads run at the same time.

    It runs in a thread and must not use handlers or connections, so everything it needs is an argument.
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
    """A thread pool with a limit on waiting jobs, since an unlimited queue only delays every response."""

    def __init__(self, threads: int, waiting: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="workshop")
        self.jobs = 0
        self.threads = threads
        self.limit = threads + waiting
        self.closing = False
        self.idle = asyncio.Event()

    async def do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads, and return its result.

        :raises HTTPError: 503, if too many jobs are waiting, or the workshop closes before this job starts.
        """
        if self.closing:
            raise web.HTTPError(503, "the program is closing")
        if self.jobs >= self.limit:
            raise web.HTTPError(503, "%d jobs are under way", self.jobs)
        self.jobs += 1
        try:
            return await IOLoop.current().run_in_executor(self.executor, lambda: function(*args, **kwargs))
        except asyncio.CancelledError:
            if not self.closing:
                raise
            raise web.HTTPError(503, "the program closed before the job started") from None
        finally:
            self.jobs -= 1
            if not self.jobs:
                self.idle.set()

    async def close(self) -> None:
        """Refuse new jobs, cancel waiting ones, and wait for running ones, since a thread cannot be
        interrupted.
        """
        self.closing = True
        self.executor.shutdown(wait=False, cancel_futures=True)
        if self.jobs:
            print(f"waiting for running jobs: {min(self.jobs, self.threads)}", flush=True)
            self.idle.clear()
            await self.idle.wait()


class WorkshopHandler(web.RequestHandler):
    """The base class of the handlers, with the workshop of the application."""

    @property
    def workshop(self) -> Workshop:
        workshop: Workshop = self.settings["workshop"]
        return workshop


class PageHandler(WorkshopHandler):
    """The page."""

    def get(self) -> None:
        self.render("index.html")


class HashHandler(WorkshopHandler):
    """Hashes a password and sends the result."""

    max_body_size = 8192

    async def post(self) -> None:
        password = self.get_argument("password")
        rounds = self.get_argument("rounds", 40, type=int)
        if not 1 <= rounds <= 200:
            raise web.HTTPError(400, "rounds must be between 1 and 200")
        self.write(await self.workshop.do(derive, password, rounds))


class PulseHandler(WorkshopHandler):
    """Responds immediately even while all threads are busy, since the event loop is free."""

    def get(self) -> None:
        self.write({"jobs": self.workshop.jobs})


def make_app(workshop: Workshop, **settings: Any) -> web.Application:
    """Return the application, for ``main`` and for tests."""
    return web.Application(
        [
            (r"/", PageHandler),
            (r"/hash", HashHandler),
            (r"/pulse", PulseHandler),
        ],
        workshop=workshop,
        cross_origin_protection=True,  # other sites must not be able to keep the threads busy
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        **settings,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(
            f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--threads=2] [--waiting=8]"
        )
    workshop = Workshop(options.threads, options.waiting)

    @contextlib.asynccontextmanager
    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        yield
        await workshop.close()

    web.run(make_app(workshop, lifespan=lifespan), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError) as error:
        sys.exit(f"executor: {error}")
