"""A program that is edited while it is running, with a client that checks it continuously."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

TIMEOUT = 20.0

PROGRAM = """\
import asyncio, logging, os, sys
if {polling}:
    sys.modules["watchfiles"] = None
from tornado import process, web
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
if not {late}:
    import greeting
logging.basicConfig(level=logging.INFO, format="%(message)s")
GATE = {gate}

class Main(web.RequestHandler):
    def get(self):
        self.write({{"text": greeting.TEXT, "pid": os.getpid(), "parent": os.getppid()}})

class Slow(web.RequestHandler):
    async def get(self):
        text = greeting.TEXT
        reader, writer = await asyncio.open_connection("127.0.0.1", GATE)
        await reader.read()
        writer.close()
        self.write(text)

class Failing(web.RequestHandler):
    def get(self):
        raise ValueError("on purpose")

def application():
    return web.Application(
        [("/", Main), ("/slow", Slow), ("/failing", Failing)],
        debug=True, autoreload_check_time=20, autoreload_drain_time={drain_time},
    )

async def main():
    application().listen({port}, "127.0.0.1")
    tell()
    await asyncio.Event().wait()

if not {modern}:
    server = HTTPServer(application())
    server.bind({port}, "127.0.0.1")
    server.start({processes})
if {late}:
    import greeting
def tell():
    os.write(1, f"flags {{sys.flags.optimize}} {{sys.orig_argv[1:]}}\\n".encode())
if {modern}:
    asyncio.run(main())
else:
    tell()
    IOLoop.current().start()
"""


class LiveReloadProgram:
    """A context manager that runs a program with autoreload in `directory`, and edits it.

    :param arguments: arguments for the interpreter, before the name of the program.
    :param late: whether to import the edited module in each process, after the fork.
    :param polling: whether to run without ``watchfiles``.
    :param modern: whether to use `asyncio.run` and ``listen`` instead of ``bind`` and ``start``.
    :param drain_time: the setting ``autoreload_drain_time``, in seconds.
    """

    def __init__(
        self,
        directory: Path,
        *arguments: str,
        processes: int = 1,
        late: bool = False,
        polling: bool = True,
        modern: bool = False,
        drain_time: float = 30,
    ) -> None:
        self.directory = directory
        self._processes = processes
        self._arguments = arguments
        self._variant = {
            "processes": processes,
            "late": late,
            "polling": polling,
            "modern": modern,
            "drain_time": drain_time,
        }
        self._news = threading.Condition()
        self._output: list[str] = []
        #: The responses to the prober, and its errors.
        self.answers: list[dict[str, Any]] = []
        self.errors: list[BaseException] = []
        self._over = self._ended = False

    def __enter__(self) -> LiveReloadProgram:
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port = self._reservation.getsockname()[1]
        self.gate = socket.create_server(("127.0.0.1", 0))
        self.gate.settimeout(TIMEOUT)
        program = PROGRAM.format(port=self.port, gate=self.gate.getsockname()[1], **self._variant)
        (self.directory / "app.py").write_text(program)
        self.save("TEXT = 'good 1'")
        self.process = subprocess.Popen(
            [sys.executable, *self._arguments, "app.py"],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        self._threads = [threading.Thread(target=self._read)]
        self._threads[0].start()
        self.wait_for_start(1)
        self._threads.append(threading.Thread(target=self._probe))
        self._threads[1].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._over = True
        self.gate.close()
        if self._threads[1:]:
            with self._news:  # wait for the last request of the prober to succeed or fail
                self._news.wait_for(lambda: not self._threads[1].is_alive(), 0.5)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(TIMEOUT)
        for thread in self._threads:
            thread.join(TIMEOUT)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._reservation.close()

    # -- actions --

    def save(self, source: str) -> None:
        """Replace the edited module atomically."""
        new = self.directory / "greeting.py~"
        new.write_text(source + "\n")
        new.replace(self.directory / "greeting.py")

    def get(self, path: str, **headers: str) -> str:
        """Send one request on a new connection, and return the body of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def end_probe(self) -> None:
        """Stop the prober before the program ends."""
        self._over = True

    # -- observations --

    def output(self) -> str:
        """Return the output so far."""
        return "".join(self._output)

    def wait_for_output(self, text: str, after: int = 0) -> int:
        """Wait until `text` is printed after the first `after` characters; return the position of its end."""
        self._wait(lambda: text in self.output()[after:], f"{text!r} was not printed")
        return after + self.output()[after:].index(text) + len(text)

    def wait_for_start(self, number: int) -> None:
        """Wait until all processes have imported everything for the `number`-th time."""
        lines = number * self._processes
        self._wait(lambda: self.output().count("flags ") >= lines, f"start {number} did not happen")

    def wait_for_end(self) -> None:
        """Wait until the program ends and all of its output has been read."""
        self._wait(lambda: self._ended, "the program does not end")

    def wait_for_answer(self, text: str) -> dict[str, Any]:
        """Wait until the prober receives a response with `text`."""
        self._wait(lambda: any(each["text"] == text for each in self.answers), f"no response with {text!r}")
        return next(each for each in self.answers if each["text"] == text)

    def wait_for_answers(self, count: int) -> list[dict[str, Any]]:
        """Wait for `count` further responses to the prober, and return them."""
        start = len(self.answers)
        self._wait(lambda: len(self.answers) >= start + count, f"no {count} further responses")
        return self.answers[start:]

    def _wait(self, condition: Callable[[], bool], complaint: str) -> None:
        with self._news:
            self._news.wait_for(lambda: condition() or self._ended or self.errors, TIMEOUT)
            if not condition():
                raise AssertionError(f"{complaint}; errors: {self.errors}; the output:\n{self.output()}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._output.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _probe(self) -> None:
        """Send requests repeatedly, each on a new connection."""
        while not self._over:
            try:
                answer = json.loads(self.get("/"))
            except Exception as error:
                with self._news:
                    if self._over:
                        return
                    self.errors.append(error)
                    self._news.notify_all()
                return
            with self._news:
                self.answers.append(answer)
                self._news.notify_all()
