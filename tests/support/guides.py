"""The programs in the guide, which tests run and mypy checks."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.descriptors import open_below
from tests.support.program import ROOT
from tests.support.server import ExpectLog, Server
from tests.support.visitor import Visitor
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler

GUIDE = ROOT / "docs/guide"
#: A block of Python code whose first line is a name in a comment, or an import.
_PROGRAM = re.compile(
    r"^```python\n(?:# (\w+)(?:\.py)?\n|(?=from |import ))(.*?)^```$", re.DOTALL | re.MULTILINE
)
#: A block whose first line is a comment with its path; CSV has no comments, so its fence has the path.
_FILE = re.compile(r"^```\w+(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PATH = re.compile(r"(?:\{#|<!--|/\*|//|#) ([\w./-]+\.\w+)(?: #\}| -->| \*/)?\n")
#: The port in the guide's programs.
PORT = 8888


def pages() -> list[Path]:
    """Return the pages of the guide."""
    return sorted(GUIDE.glob("*.md"))


def programs(page: Path) -> dict[str, str]:
    """Return the programs of a page by name, or by number. Fragments are not programs."""
    found = {}
    for number, (name, code) in enumerate(_PROGRAM.findall(page.read_text(encoding="utf-8"))):
        found[name or f"program_{number}"] = code
    return found


def files(page: Path) -> dict[str, str]:
    """Return the files that a page shows, including programs, by their paths."""
    found = {}
    for path, code in _FILE.findall(page.read_text(encoding="utf-8")):
        named = _PATH.match(code)
        if path or named:
            found[path or named[1]] = code if path else code[named.end() :]
    return found


class Run:
    """A program of the guide under test, with the objects that its test needs.

    :ivar program: the global names of the program.
    :ivar folder: the current directory, which has all files of the page.
    """

    def __init__(self, program: dict[str, Any], folder: Path, request: pytest.FixtureRequest) -> None:
        self.program = program
        self.folder = folder
        self.fixture = request.getfixturevalue
        self.expect_log: ExpectLog = request.getfixturevalue("expect_log")
        self._visitor: Visitor | None = None

    @property
    def visitor(self) -> Visitor:
        """A client that stores cookies, for a program that is served."""
        assert self._visitor is not None
        return self._visitor

    @property
    def server(self) -> Server:
        """The server that the program has started."""
        return self.visitor.server

    @contextlib.asynccontextmanager
    async def served(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        """Run the program's `main`, or serve its `application`.

        The server listens on a port that the kernel chose, instead of the port in the program.
        """
        opened: asyncio.Future[Server] = asyncio.get_running_loop().create_future()

        def listen(server: Any, port: int, address: str | None = None, **options: Any) -> None:
            assert port == PORT
            (listener,) = bind_sockets(0, address or "127.0.0.1")
            server.add_sockets([listener])
            opened.set_result(Server(server, listener, None))

        monkeypatch.setattr(TCPServer, "listen", listen)
        stop = asyncio.Event()
        if "main" in self.program:
            running = asyncio.ensure_future(self.program["main"]())
            end: Callable[[], object] = running.cancel
        else:
            running = asyncio.ensure_future(_serve(*_arguments_of_run(self.program, monkeypatch), stop))
            end = stop.set
        try:
            await asyncio.wait([opened, running], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            self._visitor = Visitor(opened.result())
            yield
        finally:
            end()
            await asyncio.wait([running])
            if opened.done():
                opened.result().server.stop()
                await opened.result().server.close_all_connections()
        assert running.cancelled() or running.exception() is None
        assert open_below(self.folder) == []


def _arguments_of_run(
    program: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[Application, int, dict[str, Any]]:
    """Run the program's block ``if __name__ == "__main__"``; return the arguments of its `tornado.web.run`.

    Short programs have only an `application`.
    """
    calls: list[tuple[Application, int, dict[str, Any]]] = []

    def run(application: Any, port: int = PORT, **options: Any) -> None:
        calls.append((application if isinstance(application, Application) else application(), port, options))

    path = Path(program["__file__"])
    block = ast.parse(path.read_text()).body[-1] if path.exists() else None
    if not isinstance(block, ast.If):
        return program["application"], PORT, {}
    assert ast.unparse(block.test) == "__name__ == '__main__'"
    monkeypatch.setattr("tornado.web.run", run)
    monkeypatch.setattr(sys, "argv", [path.name])
    level = logging.getLogger().level
    exec(compile(ast.Module(block.body, []), str(path), "exec"), program)
    logging.getLogger().setLevel(level)
    (arguments,) = calls
    return arguments


async def _serve(application: Application, port: int, options: dict[str, Any], stop: asyncio.Event) -> None:
    """Serve as `tornado.web.run` does, in a loop that runs already, until `stop` is set.

    Cancellation would skip the statements after ``yield`` in the program's lifespan.
    """
    async with application.run_lifespan():
        application.listen(port, **options)
        await stop.wait()


def is_served(program: dict[str, Any]) -> bool:
    """Whether a program is a server: it has an `application`, `make_app`, or a `main` without parameters."""
    main = program.get("main")
    if inspect.iscoroutinefunction(main):
        return not inspect.signature(main).parameters
    return "application" in program or "make_app" in program


@contextlib.contextmanager
def folder_of(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the page's files into `folder`, the current directory for the block, and import from it."""
    for path, text in files(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    # Loaders are cached by template path, which is relative in many programs, so the cache must be cleared.
    monkeypatch.setattr(RequestHandler, "_template_loaders", {})
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]


def load(page: Path, name: str, folder: Path) -> dict[str, Any]:
    """Run a program's definitions, as an import would, and return its names."""
    path = folder / f"{name}.py"
    program: dict[str, Any] = {"__name__": name, "__file__": str(path)}
    exec(compile(programs(page)[name], str(path), "exec"), program)
    return program
