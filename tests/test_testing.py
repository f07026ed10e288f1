"""The test cases, tested by running small ones."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
import sys
import traceback
import unittest
import warnings

import pytest

from tornado import gen, testing, web
from tornado.httpclient import HTTPClientError
from tornado.ioloop import IOLoop
from tornado.testing import AsyncHTTPSTestCase, AsyncHTTPTestCase, AsyncTestCase, ExpectLog, gen_test


def run(case, name="test"):
    """The result of one test of ``case``; what it raised, if it failed."""
    result = unittest.TestResult()
    case(name).run(result)
    return result


def faults(result):
    return "\n".join(text for _, text in result.errors + result.failures)


def passes(case, name="test"):
    result = run(case, name)
    assert result.testsRun == 1
    assert faults(result) == ""


# AsyncTestCase


def test_each_test_has_a_loop_of_its_own():
    loops = []

    class Case(AsyncTestCase):
        def test(self):
            assert IOLoop.current() is self.io_loop
            loops.append(self.io_loop)

    passes(Case)
    passes(Case)
    assert loops[0] is not loops[1]
    assert all(loop.asyncio_loop.is_closed() for loop in loops)


def test_wait_and_stop():
    class Case(AsyncTestCase):
        def test(self):
            self.io_loop.add_callback(self.stop, 1)
            assert self.wait() == 1
            self.io_loop.add_callback(self.stop, a=1, b=2)
            assert self.wait() == {"a": 1, "b": 2}
            self.stop("before")
            assert self.wait() == "before"
            self.io_loop.add_callback(self.stop)
            assert self.wait(timeout=0) is None
            with pytest.raises(TypeError, match="not both"):
                self.stop(1, a=2)

    passes(Case)


def test_wait_for_a_condition():
    class Case(AsyncTestCase):
        def test(self):
            seen = []

            def step():
                seen.append(1)
                self.stop()
                if len(seen) < 3:
                    self.io_loop.add_callback(step)

            self.io_loop.add_callback(step)
            self.wait(condition=lambda: len(seen) == 3)
            assert len(seen) == 3

    passes(Case)


def test_wait_for_too_long():
    class Case(AsyncTestCase):
        def test(self):
            with pytest.raises(self.failureException, match=r"timed out after 0\.001 seconds"):
                self.wait(timeout=0.001)
            self.io_loop.call_later(0.01, self.stop, "second")
            assert self.wait(timeout=5) == "second"

    passes(Case)


def test_a_reported_exception_is_raised_by_wait():
    class Case(AsyncTestCase):
        def fail_later(self):
            try:
                raise ValueError("reported")
            except ValueError:
                self._handle_exception(*sys.exc_info())

        def test(self):
            self.io_loop.add_callback(self.fail_later)
            with pytest.raises(ValueError, match="reported"):
                self.wait()

        def test_without_wait(self):
            self.fail_later()

    passes(Case)
    assert "ValueError: reported" in faults(run(Case, "test_without_wait"))


def test_a_second_reported_exception_is_logged(expect_log):
    class Case(AsyncTestCase):
        def test(self):
            for each in (ValueError("first"), KeyError("second")):
                self._handle_exception(type(each), each, None)

    with expect_log("tornado.application", "multiple unhandled exceptions"):
        assert "ValueError: first" in faults(run(Case))


def test_what_is_left_running_is_cancelled():
    ended = []

    class Case(AsyncTestCase):
        async def forever(self):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cleaned up")

        async def stubborn(self):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError from None

        @gen_test
        async def test(self):
            self.tasks = [asyncio.ensure_future(self.forever()), asyncio.ensure_future(self.stubborn())]
            await asyncio.sleep(0)

    passes(Case)
    assert ended == ["cleaned up"]


def test_a_test_that_would_never_run():
    class Case(AsyncTestCase):
        def test_generator(self):
            yield

        async def test_coroutine(self):
            pass

        def test_value(self):
            return 42

        @unittest.skip("reason")
        def test_skipped(self):
            yield

    for name in ("test_generator", "test_coroutine"):
        assert "should be decorated with tornado.testing.gen_test" in faults(run(Case, name))
    assert "Return value from test method ignored" in faults(run(Case, "test_value"))
    assert len(run(Case, "test_skipped").skipped) == 1


def test_a_loop_of_the_programs_choice():
    class Case(AsyncTestCase):
        def get_new_ioloop(self):
            self.made = IOLoop(make_current=False)
            return self.made

        def test(self):
            assert self.io_loop is self.made

    passes(Case)


# gen_test


def test_coroutines_of_each_kind():
    ran = []

    class Case(AsyncTestCase):
        @gen_test
        def test_generator(self):
            ran.append((yield gen.maybe_future("generator")))
            yield gen.moment

        @gen_test
        async def test_native(self):
            await asyncio.sleep(0)
            ran.append("native")

        @gen_test(timeout=3)
        def test_plain(self):
            ran.append("plain")

        @gen_test
        async def test_arguments(self, number, text=""):
            ran.append(f"{number} {text}")

        def test_calls_one(self):
            self.test_arguments(1, text="a")

    for name in ("generator", "native", "plain", "calls_one"):
        passes(Case, f"test_{name}")
    assert ran == ["generator", "native", "plain", "1 a"]


def test_a_failure_in_a_coroutine():
    class Case(AsyncTestCase):
        @gen_test
        async def test(self):
            await asyncio.sleep(0)
            raise KeyError("inside")

    assert "KeyError: 'inside'" in faults(run(Case))


@pytest.mark.parametrize("name", ["test_generator", "test_native"])
def test_a_timeout_leads_to_the_line_that_waits(name):
    class Case(AsyncTestCase):
        @gen_test(timeout=0.001)
        def test_generator(self):
            yield asyncio.Future()  # here

        @gen_test(timeout=0.001)
        async def test_native(self):
            await asyncio.Future()  # here

    text = faults(run(Case, name))
    assert "TimeoutError" in text
    assert "# here" in text


def test_a_timeout_cannot_be_swallowed():
    class Case(AsyncTestCase):
        @gen_test(timeout=0.001)
        def test(self):
            try:
                yield asyncio.Future()
            except TimeoutError:
                pass

    assert "TimeoutError" in faults(run(Case))


def test_a_timeout_of_the_tests_own():
    class Case(AsyncTestCase):
        @gen_test
        async def test(self):
            raise TimeoutError("its own")

    assert "its own" in faults(run(Case))


def test_the_timeout_of_the_environment(monkeypatch, expect_log):
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.5")
    assert testing.get_async_test_timeout() == 0.5
    monkeypatch.delenv("ASYNC_TEST_TIMEOUT")
    assert testing.get_async_test_timeout() == 5
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "soon")
    with expect_log("tornado.application", "'soon'"):
        assert testing.get_async_test_timeout() == 5


# Sockets, servers


def test_an_unused_port():
    sock, port = testing.bind_unused_port()
    with sock:
        assert sock.getsockname() == ("127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port)).close()


def test_addresses_of_servers():
    case = AsyncHTTPTestCase()
    case._port = 8080
    assert case.get_url("/a?b") == "http://127.0.0.1:8080/a?b"
    assert case.get_httpserver_options() == {}
    with pytest.raises(NotImplementedError, match="get_app"):
        case.get_app()
    secure = AsyncHTTPSTestCase()
    secure._port = 8443
    assert secure.get_url("/") == "https://127.0.0.1:8443/"
    options = secure.get_httpserver_options()["ssl_options"]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(**options)


class HelloHandler(web.RequestHandler):
    def get(self):
        self.write(self.request.protocol)


@pytest.mark.parametrize("kind", [AsyncHTTPTestCase, AsyncHTTPSTestCase])
def test_a_server_and_a_client(kind, expect_log):
    class Case(kind):
        def get_app(self):
            return web.Application([("/hello", HelloHandler)])

        def test_fetch(self):
            for url in ("/hello", self.get_url("/hello")):
                assert self.fetch(url).body == self.get_protocol().encode()
            assert self.fetch("/other").code == 404
            with pytest.raises(HTTPClientError, match="404"):
                self.fetch("/other", raise_error=True)

        @gen_test
        async def test_coroutine(self):
            response = await self.http_client.fetch(self.get_url("/hello"))
            assert response.code == 200

    passes(Case, "test_coroutine")
    with expect_log("tornado.access", "404 GET /other"):
        passes(Case, "test_fetch")


def test_a_context_manager_for_the_time_of_a_test():
    order = []

    class Manager:
        def __enter__(self):
            order.append("enter")
            return 7

        def __exit__(self, *exc_info):
            order.append("exit")

    class Case(unittest.TestCase):
        def setUp(self):
            self.value = testing.setup_with_context_manager(self, Manager())

        def test(self):
            order.append(self.value)

    passes(Case)
    assert order == ["enter", 7, "exit"]


# ExpectLog


@pytest.fixture
def log():
    found = logging.getLogger("tornado.application")
    level = found.level
    yield found
    assert found.level == level
    assert found.filters == []


def test_an_expected_record_is_not_shown(log):
    for logger in (log, "tornado.application"):
        with ExpectLog(logger, "it .* happened") as expected:
            log.warning("it really %s", "happened")
        assert expected.matched
        assert not expected.logged_stack


def test_a_traceback_is_noticed(log):
    with ExpectLog(log, "failed") as expected:
        log.error("failed", exc_info=ValueError())
    assert expected.logged_stack


def test_a_missing_record(log):
    with pytest.raises(Exception, match="did not get expected log message"), ExpectLog(log, "never"):
        pass
    with ExpectLog(log, "never", required=False) as expected:
        pass
    assert not expected.matched
    with pytest.raises(KeyError), ExpectLog(log, "never"):
        raise KeyError


def test_other_records_are_shown(log, expect_log):
    with expect_log("tornado.application", "other"), ExpectLog(log, "expected", required=False):
        log.warning("other")


def test_a_level_is_let_through(log):
    with ExpectLog(log, "quiet", level=logging.DEBUG):
        log.debug("quiet")


def test_another_level_than_expected(log, expect_log):
    with expect_log("tornado.application", "unexpected level|^quiet"):
        with pytest.raises(Exception, match="did not get"), ExpectLog(log, "quiet", level=logging.INFO):
            log.warning("quiet")


def test_a_quiet_record_needs_its_level_named(log):
    log.setLevel(logging.INFO)
    with pytest.warns(DeprecationWarning, match=r"level=logging\.INFO"), ExpectLog(log, "quiet"):
        log.info("quiet")
    log.setLevel(logging.NOTSET)
    with warnings.catch_warnings(), ExpectLog(log, "loud"):
        log.error("loud")


# The command line

MODULE = """
import unittest
from tornado import testing

class Case(unittest.TestCase):
    def test_good(self):
        pass
    def test_bad(self):
        self.fail("on purpose")

def all():
    return unittest.defaultTestLoader.loadTestsFromTestCase(Case)

if __name__ == "__main__":
    testing.main()
"""


def command(*arguments, cwd):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_main(tmp_path):
    (tmp_path / "some_tests.py").write_text(MODULE)
    whole = command("some_tests.py", cwd=tmp_path)
    assert whole.returncode == 1
    assert "Ran 2 tests" in whole.stderr
    assert "on purpose" in whole.stderr
    one = command("some_tests.py", "--verbose", "some_tests.Case.test_good", cwd=tmp_path)
    assert one.returncode == 0
    assert "test_good" in one.stderr
    assert "Ran 1 test" in one.stderr
    module = command("-m", "tornado.testing", "--failfast", "some_tests", cwd=tmp_path)
    assert module.returncode == 1
    assert "Ran 1 test" in module.stderr
    none = command("-m", "tornado.testing", cwd=tmp_path)
    assert none.returncode == 1
    assert "No tests specified" in none.stderr


def test_tracebacks_of_the_suite_name_the_test():
    """The frames of gen_test itself are few."""

    class Case(AsyncTestCase):
        @gen_test
        async def test(self):
            raise ValueError

    case = Case("test")
    case.setUp()
    try:
        with pytest.raises(ValueError) as caught:
            case.test()
    finally:
        case.tearDown()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "test"
