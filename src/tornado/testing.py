"""Unit tests of asynchronous code, for `unittest` and whatever runs its test cases.

* `AsyncTestCase`: each test has an event loop of its own; what a test leaves running is cancelled and closed.
* `AsyncHTTPTestCase`, `AsyncHTTPSTestCase`: a server with the program's application, and a client to call it.
* `gen_test`: makes a test method of a coroutine.
* `ExpectLog`: a log record that must come, and is then not shown.
* `main`: a command line for a module of tests.

::

    class HelloTest(AsyncHTTPTestCase):
        def get_app(self):
            return make_app()

        def test_front_page(self):
            self.assertEqual(self.fetch("/").body, b"Hello, world")

        @gen_test
        async def test_both(self):
            await asyncio.gather(self.http_client.fetch(self.get_url("/a")), ...)
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import re
import socket
import sys
import unittest
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tornado import gen
from tornado.ioloop import IOLoop
from tornado.log import app_log
from tornado.netutil import bind_sockets
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado.httpclient import AsyncHTTPClient, HTTPResponse
    from tornado.httpserver import HTTPServer

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "setup_with_context_manager",
]

_T = TypeVar("_T")
_TestMethod = TypeVar("_TestMethod", bound=Callable[..., Any])

_DEFAULT_TIMEOUT = 5.0


def bind_unused_port(reuse_port: bool = False, address: str = "127.0.0.1") -> tuple[socket.socket, int]:
    """Bind a server socket to a port of the kernel's choice.

    :arg reuse_port: set SO_REUSEPORT on it.
    :arg address: where to listen, IPv4.
    :returns: the listening socket, and its port.
    """
    [sock] = bind_sockets(0, address, family=socket.AF_INET, reuse_port=reuse_port)
    return sock, sock.getsockname()[1]


def get_async_test_timeout() -> float:
    """Seconds that an asynchronous test may take: the environment's ``ASYNC_TEST_TIMEOUT``, or 5."""
    given = os.environ.get("ASYNC_TEST_TIMEOUT")
    try:
        return float(given) if given else _DEFAULT_TIMEOUT
    except ValueError:
        app_log.warning("ASYNC_TEST_TIMEOUT should be a number of seconds, not %r", given)
        return _DEFAULT_TIMEOUT


def setup_with_context_manager(testcase: unittest.TestCase, cm: AbstractContextManager[_T]) -> _T:
    """Enter ``cm`` now, in ``setUp``, and leave it when the test is over.

    :returns: what entering gave. `unittest.TestCase.enterContext` does the same.
    """
    return testcase.enterContext(cm)


class AsyncTestCase(unittest.TestCase):
    """A test case whose every test has an event loop of its own, in ``self.io_loop``.

    Test methods that wait are written as coroutines under `gen_test`. Those in the older style start
    something and call `wait`; a callback calls `stop` to end the wait::

        def test_old_style(self):
            self.io_loop.call_later(0.01, self.stop, "result")
            self.assertEqual(self.wait(), "result")

    A test method that gives back a generator, a coroutine or any other value fails: such a test would
    never run.
    """

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self._stopped = False
        self._waiting = False
        self._stop_value: Any = None
        self._failure: BaseException | None = None

    def setUp(self) -> None:
        """Make the loop, and make it the current one."""
        super().setUp()
        #: The loop of this test.
        self.io_loop: IOLoop = self.get_new_ioloop()
        asyncio.set_event_loop(_asyncio_loop(self.io_loop))

    def tearDown(self) -> None:
        """Cancel what still runs, close the loop and every descriptor it watches."""
        loop = _asyncio_loop(self.io_loop)
        if not loop.is_closed():
            _cancel_tasks(loop)
        asyncio.set_event_loop(None)
        self.io_loop.close(all_fds=True)
        super().tearDown()
        self._raise_failure()

    def get_new_ioloop(self) -> IOLoop:
        """Give the loop for a test. Override it to run on another; it is closed after the test."""
        loop: IOLoop = IOLoop(make_current=False)
        return loop

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, and raise what it reported by ``_handle_exception`` and nobody raised yet."""
        outcome = super().run(result)
        self._raise_failure()
        return outcome

    def _callTestMethod(self, method: Callable[[], Any]) -> None:
        value = method()
        if value is None:
            return
        if inspect.iscoroutine(value):
            value.close()  # it will never be awaited, and need not say so
        if inspect.iscoroutine(value) or isinstance(value, Generator):
            raise TypeError(
                "Generator and coroutine test methods should be decorated with tornado.testing.gen_test: "
                f"{self.id()} was called, but none of it has run"
            )
        raise ValueError(f"Return value from test method ignored: {self.id()} returned {value!r}")

    def _handle_exception(
        self, typ: type[BaseException], value: BaseException, tb: TracebackType | None
    ) -> bool:
        """Take note of an exception for the end of the `wait` that is under way, or of the test."""
        if self._failure is None:
            self._failure = value.with_traceback(tb)
        else:
            app_log.error("multiple unhandled exceptions in test", exc_info=(typ, value, tb))
        self.stop()
        return True

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """End the `wait` under way, or the next one.

        :arg _arg: what `wait` gives back; or
        :arg kwargs: what it gives back, as a dict.
        """
        if _arg is not None and kwargs:
            raise TypeError("stop() takes one positional argument or keyword arguments, not both")
        self._stop_value = kwargs or _arg
        self._stopped = True
        if self._waiting:
            self._waiting = False
            self.io_loop.stop()

    def wait(self, condition: Callable[[], bool] | None = None, timeout: float | None = None) -> Any:
        """Run the loop until `stop` is called.

        :arg condition: go on running after `stop` until this is true.
        :arg timeout: seconds until the test fails; `get_async_test_timeout` where it is left out, 0 for none.
        :returns: what `stop` was given.
        :raises AssertionError: if the time is over first.
        """
        if timeout is None:
            timeout = get_async_test_timeout()
        if not self._stopped:
            timer = self.io_loop.call_later(timeout, self._wait_expired, timeout) if timeout else None
            try:
                self._run_until_stopped(condition)
            finally:
                if timer is not None:
                    self.io_loop.remove_timeout(timer)
        self._stopped = False
        self._raise_failure()
        value, self._stop_value = self._stop_value, None
        return value

    def _run_until_stopped(self, condition: Callable[[], bool] | None) -> None:
        while True:
            self._waiting = True
            self.io_loop.start()
            if self._failure is not None or condition is None or condition():
                return

    def _wait_expired(self, timeout: float) -> None:
        self._failure = self.failureException(f"Async operation timed out after {timeout} seconds")
        self.stop()


def _asyncio_loop(io_loop: IOLoop) -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = io_loop.asyncio_loop  # type: ignore[attr-defined]
    return loop


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        # Exceptions that come of it are consequences of the end of the test, not its result.
        loop.run_until_complete(asyncio.wait(left))
        for task in left:
            if not task.cancelled():
                task.exception()


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case with an HTTP server and a client. Define `get_app`; call `fetch`."""

    def setUp(self) -> None:
        """Start the server on a port of the kernel's choice, and make the client."""
        super().setUp()
        sock, self._port = bind_unused_port()
        #: The client.
        self.http_client: AsyncHTTPClient = self.get_http_client()
        self._app = self.get_app()
        #: The server.
        self.http_server: HTTPServer = self.get_http_server()
        self.http_server.add_sockets([sock])

    def tearDown(self) -> None:
        """Stop the server, close its connections and the client."""
        self.http_server.stop()
        self.io_loop.run_sync(self.http_server.close_all_connections, timeout=get_async_test_timeout())
        self.http_client.close()
        # A runner keeps every test case to its end; an application should not live so long.
        del self.http_server, self._app
        super().tearDown()

    def get_http_client(self) -> AsyncHTTPClient:
        """Give the client for a test."""
        from tornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient()

    def get_http_server(self) -> HTTPServer:
        """Give the server for a test: one of ``self._app`` with `get_httpserver_options`."""
        from tornado.httpserver import HTTPServer

        return HTTPServer(self._app, **self.get_httpserver_options())

    def get_app(self) -> Any:
        """Give the application under test. Every subclass defines it.

        :returns: a `tornado.web.Application`, or whatever else an HTTPServer takes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define get_app() to return its application")

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """Get one response, running the loop until it is there.

        :arg path: a path on the server of this test, with its query; or a full http or https URL.
        :arg raise_error: raise `HTTPError <tornado.httpclient.HTTPError>` for a status other than
            success. Errors without a status, such as a timeout, are raised either way.
        :arg kwargs: arguments of `HTTPRequest <tornado.httpclient.HTTPRequest>`.
        """
        full = path.lower().startswith(("http://", "https://"))
        url = path if full else self.get_url(path)
        response: HTTPResponse = self.io_loop.run_sync(
            lambda: self.http_client.fetch(url, raise_error=raise_error, **kwargs),
            timeout=get_async_test_timeout(),
        )
        return response

    def get_httpserver_options(self) -> dict[str, Any]:
        """Give keyword arguments for the server."""
        return {}

    def get_http_port(self) -> int:
        """Give the port the server listens on."""
        return self._port

    def get_protocol(self) -> str:
        """Give the scheme of the server's URLs."""
        return "http"

    def get_url(self, path: str) -> str:
        """Give the full URL of a path on the server of this test."""
        return f"{self.get_protocol()}://127.0.0.1:{self.get_http_port()}{path}"


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """The same over TLS, with a certificate made for tests, which the client does not check."""

    def get_http_client(self) -> AsyncHTTPClient:
        """Give a client that does not check certificates."""
        from tornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def get_httpserver_options(self) -> dict[str, Any]:
        """Give keyword arguments for the server: ``ssl_options``."""
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """Give the server's TLS options. Override it to use another certificate."""
        return self.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """Give the certificate made for tests; its key is public. It is for localhost, 127.0.0.1 and ::1."""
        pem = str(Path(__file__).with_suffix(".pem"))
        return {"certfile": pem, "keyfile": pem}

    def get_protocol(self) -> str:
        """Give the scheme of the server's URLs."""
        return "https"


@overload
def gen_test(func: None = None, timeout: float | None = None) -> Callable[[_TestMethod], _TestMethod]: ...
@overload
def gen_test(func: _TestMethod, timeout: float | None = None) -> _TestMethod: ...
def gen_test(func: Callable[..., Any] | None = None, timeout: float | None = None) -> Any:
    """Decorate a coroutine, native or a generator, to be a test method of an `AsyncTestCase`.

    :arg func: the method.
    :arg timeout: seconds it may take; `get_async_test_timeout` where it is left out.
    :raises TimeoutError: from the test method, with a traceback that leads to where it was waiting.

    ``@gen_test``, or ``@gen_test(timeout=10)``.
    """
    if func is None:
        return functools.partial(gen_test, timeout=timeout)
    start = _native_start(func) if inspect.iscoroutinefunction(func) else _generator_start(func)

    @functools.wraps(func)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        limit = get_async_test_timeout() if timeout is None else timeout
        waiting: list[Any] = []
        try:
            return self.io_loop.run_sync(
                functools.partial(start, waiting, self, *args, **kwargs), timeout=limit
            )
        except TimeoutError as error:
            _raise_where_it_waits(error, waiting)
            raise

    return run


def _native_start(method: Callable[..., Any]) -> Callable[..., Any]:
    async def start(waiting: list[Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        except asyncio.CancelledError as interruption:
            waiting.append(interruption)  # its traceback leads to the line
            raise

    return start


def _generator_start(method: Callable[..., Any]) -> Callable[..., Any]:
    @gen.coroutine
    def start(waiting: list[Any], /, *args: Any, **kwargs: Any) -> Any:
        made = method(*args, **kwargs)
        if isinstance(made, Generator):
            waiting.append(made)
        return made

    return start


def _raise_where_it_waits(error: TimeoutError, waiting: list[Any]) -> None:
    """Raise a test's timeout so that its traceback names the line where the test waits."""
    for each in waiting:
        if isinstance(each, asyncio.CancelledError):
            raise error from each
        # A generator that has ended has raised this error itself; it was not for the test as a whole.
        if getattr(each, "gi_frame", None) is not None:
            try:
                each.throw(error)
            except StopIteration:
                pass


class ExpectLog(logging.Filter):
    """Expect a log record in a ``with`` block, and keep it from being shown.

    :arg logger: the logger or its name; ``""`` for the root logger. It must be the one that is logged
        to, since a filter does not see the records of loggers below.
    :arg regex: a pattern that the start of the message matches.
    :arg required: raise an error at the end of the block if no record has come.
    :arg level: a level of `logging` that the record must have. The logger is set to let it through.
        Without it a record of any level is taken; one of INFO or less is deprecated.

    In the block and after it, ``matched`` tells whether a record has come, and ``logged_stack`` whether
    one of them, expected or not, had a traceback.
    """

    def __init__(
        self,
        logger: logging.Logger | str,
        regex: str,
        required: bool = True,
        level: int | None = None,
    ) -> None:
        super().__init__()
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.regex = re.compile(regex)
        self.required = required
        self.level = level
        self.matched = False
        self.logged_stack = False
        self.deprecated_level_matched = 0
        #: The logger's own level, to be set again at the end; None where it was left alone.
        self.orig_level: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be shown: it is not the one expected."""
        self.logged_stack = self.logged_stack or bool(record.exc_info)
        message = record.getMessage()
        if not self.regex.match(message):
            return True
        if self.level is None:
            if record.levelno <= logging.INFO:
                self.deprecated_level_matched = max(self.deprecated_level_matched, record.levelno)
        elif record.levelno != self.level:
            app_log.warning(
                "Got expected log message %r at unexpected level (%s, not %s)",
                message,
                record.levelname,
                logging.getLevelName(self.level),
            )
            return True
        self.matched = True
        return False

    def __enter__(self) -> ExpectLog:
        if self.level is not None and not self.logger.isEnabledFor(self.level):
            self.orig_level = self.logger.level
            self.logger.setLevel(self.level)
        self.logger.addFilter(self)
        return self

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.logger.removeFilter(self)
        if self.orig_level is not None:
            self.logger.setLevel(self.orig_level)
            self.orig_level = None
        if typ is not None:
            return  # the block's own error says more
        if self.required and not self.matched:
            raise Exception(
                f"did not get expected log message: nothing on logger {self.logger.name!r} "
                f"matched {self.regex.pattern!r}"
            )
        if self.deprecated_level_matched:
            warnings.warn(
                "ExpectLog matched a record of INFO or below; say so by level=logging.INFO",
                DeprecationWarning,
                stacklevel=2,
            )


def main(**kwargs: Any) -> None:
    """Run the tests of a module, or those named on the command line, and exit.

    :arg kwargs: arguments of `unittest.main`.

    Put ``if __name__ == "__main__": tornado.testing.main()`` at the end of a module of tests that has a
    function ``all()`` giving a suite; or run ``python -m tornado.testing package.tests.test_module``.
    Options of `tornado.options` are understood (``--logging=debug``), and those of `unittest` that are
    listed by ``--help``.
    """
    arguments = _parse_arguments()
    if __name__ == "__main__" and len(arguments) == 1:
        sys.stderr.write("No tests specified: python -m tornado.testing MODULE ...\n")
        sys.exit(1)
    named = len(arguments) > 1
    # With names, unittest finds them by import; without, the suite is made by the main module's all().
    target: dict[str, Any] = {"module": None} if named else {"defaultTest": "all"}
    unittest.main(argv=arguments, **{**target, **_unittest_options(), **kwargs})


def _parse_arguments() -> list[str]:
    from tornado.options import define, options, parse_command_line

    define("exception_on_interrupt", type=bool, default=True, help="let Ctrl-C end the run with a traceback")
    define("verbose", type=bool, default=False, help="list the tests")
    define("quiet", type=bool, default=False, help="print little")
    define("failfast", type=bool, default=False, help="end the run at the first failure")
    define("catch", type=bool, default=False, help="let Ctrl-C end the run after the test under way")
    define("buffer", type=bool, default=False, help="show what tests print only when they fail")
    named = parse_command_line(sys.argv)
    if options.catch or not options.exception_on_interrupt:
        unittest.installHandler()
    return [sys.argv[0], *named]


def _unittest_options() -> dict[str, Any]:
    from tornado.options import options

    chosen: dict[str, Any] = {name: True for name in ("failfast", "buffer") if options[name]}
    if options.verbose or options.quiet:
        chosen["verbosity"] = 2 if options.verbose else 0
    return chosen


def __getattr__(name: str) -> Any:
    # The style of Tornado 4, imported when it is used.
    if name == "get_unused_port":
        return import_object("tornado._classic.ports.get_unused_port")
    if name == "LogTrapTestCase":
        return import_object("tornado._classic.logtrap.LogTrapTestCase")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    main()
