"""Cancellation of handlers: by a disconnect of the client, or by `handler_timeout`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.server import ExpectLog, Peer, handler_of, serving
from tornado import gen, web
from tornado.iostream import StreamClosedError
from tornado.locks import Event

SHORT = 0.02


class Recorder:
    """A record of the events of a handler, in order, with a way to wait for its end."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.started = asyncio.Event()
        self.ended = asyncio.Event()

    def note(self, entry: str) -> None:
        self.entries.append(entry)
        if entry == "started":
            self.started.set()
        elif entry.startswith("on_finish"):
            self.ended.set()


def waiting(recorder: Recorder, base: Any = web.RequestHandler, **members: Any) -> Any:
    """Return a handler whose method never returns, unless `members` override it."""

    class Waiting(base):  # type: ignore[misc]
        def on_connection_close(self) -> None:
            recorder.note("on_connection_close")

        async def get(self) -> None:
            await self.wait()

        post = get

        async def wait(self) -> None:
            recorder.note("started")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                recorder.note("cancelled")
                raise
            finally:
                recorder.note("finally")

        def on_finish(self) -> None:
            recorder.note(f"on_finish {self.get_status()}")

    return type("Waiting", (Waiting,), members)


GONE = ["started", "on_connection_close", "cancelled", "finally", "on_finish 499"]


async def leave(peer: Peer, how: str) -> None:
    if how == "half-close":
        peer.writer.write_eof()
    elif how == "reset":
        peer.writer.transport.abort()
    else:
        await peer.close()


# -- the client disconnects --


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_handler_is_cancelled_on_disconnect(how: str, method: str, loop_kind: str, tls: Any) -> None:
    recorder = Recorder()
    application = web.Application([("/", waiting(recorder))], cancel_on_disconnect=True)
    async with serving(application, tls=tls) as server:
        peer = await server.connect()
        peer.get("/", method=method, body=b"x" if method == "POST" else None)
        await recorder.started.wait()
        await leave(peer, how)
        await recorder.ended.wait()
    assert recorder.entries == GONE


async def test_half_close_counts_as_disconnect() -> None:
    recorder = Recorder()
    async with serving(web.Application([("/", waiting(recorder))], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await leave(peer, "half-close")
        assert await peer.rest() == b""
        await recorder.ended.wait()
    assert recorder.entries == GONE


@pytest.mark.parametrize(
    ("setting", "attribute", "cancelled"),
    [(None, None, False), (None, True, True), (True, None, True), (True, False, False), (False, True, True)],
)
async def test_attribute_overrides_the_setting(setting: Any, attribute: Any, cancelled: bool) -> None:
    recorder = Recorder()
    go_on = Event()

    async def wait(self: Any) -> None:
        recorder.note("started")
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            recorder.note("cancelled")
            raise
        self.write("answer")

    handler = waiting(recorder, wait=wait, cancel_on_disconnect=attribute)
    settings = {} if setting is None else {"cancel_on_disconnect": setting}
    async with serving(web.Application([("/", handler)], **settings)) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await leave(peer, "half-close")
        while "on_connection_close" not in recorder.entries:
            await asyncio.sleep(0)
        go_on.set()
        answer = await peer.rest()
    assert ("cancelled" in recorder.entries) is cancelled
    assert answer.endswith(b"answer") is not cancelled


async def test_disconnect_while_prepare_waits() -> None:
    recorder = Recorder()

    async def prepare(self: Any) -> None:
        await self.wait()

    def get(self: Any) -> None:
        raise AssertionError("not reached")

    handler = waiting(recorder, prepare=prepare, get=get)
    async with serving(web.Application([("/", handler)], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await peer.close()
        await recorder.ended.wait()
    assert recorder.entries == GONE


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("awaits", ["future", "moment", "task"])
async def test_generator_coroutine_is_cancelled_on_disconnect(nested: bool, awaits: str) -> None:
    """If the handler is a generator coroutine, its generator is closed."""
    recorder = Recorder()

    @gen.coroutine
    def wait(self: Any) -> Any:
        recorder.note("started")
        try:
            while True:
                if awaits == "future":
                    yield asyncio.get_running_loop().create_future()
                elif awaits == "moment":
                    yield gen.moment
                else:
                    yield asyncio.create_task(asyncio.Event().wait())
        except asyncio.CancelledError:
            recorder.note("cancelled")
            raise
        finally:
            recorder.note("finally")

    @gen.coroutine
    def outer(self: Any) -> Any:
        yield wait(self)

    handler = waiting(recorder, get=outer if nested else wait)
    async with serving(web.Application([("/", handler)], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await peer.close()
        await recorder.ended.wait()
    assert recorder.entries == GONE


async def test_shielded_task_continues() -> None:
    recorder = Recorder()
    go_on = asyncio.Event()
    done = asyncio.Event()

    async def work() -> None:
        recorder.note("started")
        await go_on.wait()
        done.set()

    async def wait(self: Any) -> None:
        self.task = asyncio.create_task(work())
        await asyncio.shield(self.task)

    async with serving(
        web.Application([("/", waiting(recorder, wait=wait))], cancel_on_disconnect=True)
    ) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await peer.close()
        await recorder.ended.wait()
        go_on.set()
        await done.wait()


async def test_handler_may_catch_the_cancellation_and_respond() -> None:
    recorder = Recorder()

    async def wait(self: Any) -> None:
        recorder.note("started")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.write("all the same")

    async with serving(
        web.Application([("/", waiting(recorder, wait=wait))], cancel_on_disconnect=True)
    ) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await leave(peer, "half-close")
        assert (await peer.rest()).endswith(b"all the same")
    assert recorder.entries[-1] == "on_finish 200"


async def test_disconnect_inside_an_asyncio_timeout() -> None:
    recorder = Recorder()

    async def wait(self: Any) -> None:
        try:
            async with asyncio.timeout(60):
                recorder.note("started")
                await asyncio.Event().wait()
        finally:
            recorder.note("finally")

    async with serving(
        web.Application([("/", waiting(recorder, wait=wait))], cancel_on_disconnect=True)
    ) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await peer.close()
        await recorder.ended.wait()
    assert recorder.entries == ["started", "on_connection_close", "finally", "on_finish 499"]


async def test_exception_in_on_connection_close_does_not_prevent_cancellation(expect_log: ExpectLog) -> None:
    recorder = Recorder()

    def on_connection_close(self: Any) -> None:
        raise ZeroDivisionError("a bug")

    handler = waiting(recorder, on_connection_close=on_connection_close)
    with expect_log("tornado.application", "Uncaught exception in a close callback"):
        async with serving(web.Application([("/", handler)], cancel_on_disconnect=True)) as server:
            peer = await server.connect()
            peer.get("/")
            await recorder.started.wait()
            await peer.close()
            await recorder.ended.wait()
    assert "cancelled" in recorder.entries


async def test_disconnect_while_the_response_is_sent() -> None:
    """When `on_finish` is called for the cancelled request, the status is still the one that was sent."""
    recorder = Recorder()

    async def wait(self: Any) -> None:
        recorder.note("started")
        while True:
            self.write(b"x" * 100_000)
            await self.flush()

    async with serving(
        web.Application([("/", waiting(recorder, wait=wait))], cancel_on_disconnect=True)
    ) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.reader.readline()
        peer.writer.transport.abort()
        await recorder.ended.wait()
    assert recorder.entries[-1] == "on_finish 200"


async def test_pipelined_request_after_a_disconnect_is_cancelled() -> None:
    recorder = Recorder()
    first = asyncio.Event()

    async def get(self: Any) -> None:
        await first.wait()

    routes = [("/first", handler_of(get=get)), ("/", waiting(recorder, cancel_on_disconnect=True))]
    async with serving(web.Application(routes)) as server:
        peer = await server.connect()
        peer.get("/first")
        peer.get("/")
        peer.writer.write_eof()
        for _ in range(5):
            await asyncio.sleep(0)
        first.set()
        await recorder.ended.wait()
    assert recorder.entries == GONE


@pytest.mark.parametrize("where", ["prepare", "data_received", "body"])
async def test_disconnect_during_a_streamed_body(where: str) -> None:
    recorder = Recorder()

    async def wait_there(self: Any, chunk: bytes = b"") -> None:
        await self.wait()

    async def no_wait(self: Any, chunk: bytes = b"") -> None:
        if where == "body" and chunk:
            recorder.note("started")

    members = {name: wait_there if name == where else no_wait for name in ("prepare", "data_received")}
    handler = web.stream_request_body(waiting(recorder, **members))
    async with serving(web.Application([("/", handler)], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        await recorder.started.wait()
        await leave(peer, "half-close")
        assert await peer.rest() == b""
        await recorder.ended.wait()
    expected = ["started", "on_connection_close", "on_finish 499"]
    assert [entry for entry in recorder.entries if entry in expected] == expected
    assert ("cancelled" in recorder.entries) is (where != "body")


async def test_cancellation_writes_one_line_to_the_access_log(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    caplog.set_level(logging.DEBUG)
    application = web.Application([("/", waiting(recorder))], cancel_on_disconnect=True)
    async with serving(application, access_log=logging.INFO) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await peer.close()
        await recorder.ended.wait()
    records = [each for each in caplog.records if each.name.startswith("tornado")]
    assert [(each.levelname, each.getMessage().rpartition(" ")[0]) for each in records] == [
        ("INFO", "499 GET / (127.0.0.1)")
    ]


async def test_overridden_execute_is_cancelled() -> None:
    recorder = Recorder()

    async def _execute(self: Any, transforms: Any, *args: Any) -> None:
        await self.wait()

    handler = waiting(recorder, _execute=_execute)
    async with serving(web.Application([("/", handler)], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await peer.close()
        await recorder.ended.wait()
    assert recorder.entries == GONE


async def test_cancellation_by_other_code_returns_500() -> None:
    """If the program cancels the handler's task, the response is 500, as without ``cancel_on_disconnect``."""
    tasks: list[Any] = []

    async def get(self: Any) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    async with serving(web.Application([("/", handler_of(get=get))], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.get("/")
        while not tasks:
            await asyncio.sleep(0)
        tasks[0].cancel()
        assert (await peer.response()).code == 500


async def test_settings_do_not_affect_later_requests_of_the_connection() -> None:
    async def get(self: Any) -> None:
        await asyncio.sleep(0)
        self.write("answer")

    settings: dict[str, Any] = {"cancel_on_disconnect": True, "handler_timeout": 60}
    async with serving(web.Application([("/", handler_of(get=get))], **settings)) as server:
        peer = await server.connect()
        for _ in range(3):
            assert (await peer.fetch("/")).body == b"answer"


async def test_close_all_connections_cancels_the_handler() -> None:
    recorder = Recorder()
    async with serving(web.Application([("/", waiting(recorder))], cancel_on_disconnect=True)) as server:
        peer = await server.connect()
        peer.get("/")
        await recorder.started.wait()
        await server.server.close_all_connections()
        await recorder.ended.wait()
    assert recorder.entries == GONE


async def test_callback_is_called_within_100_ms(clock: FakeClock, tls: Any) -> None:
    """`on_connection_close` is called within 100 ms, on a clock that advances only when the loop is idle."""
    started, gone = asyncio.Event(), asyncio.Event()

    async def get(self: Any) -> None:
        started.set()
        await gone.wait()

    def on_connection_close(self: Any) -> None:
        gone.set()

    handler = handler_of(get=get, on_connection_close=on_connection_close)
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        best = 1.0
        for _ in range(5):  # repeated, because the kernel may deliver the end of file in another thread
            started.clear()
            gone.clear()
            peer = await server.connect()
            peer.get("/")
            await started.wait()
            before = clock.now
            peer.writer.close()
            await gone.wait()
            best = min(best, clock.now - before)
            await peer.close()
            if best < 0.1:
                break
    assert best < 0.1


# -- the timeout expires --

LATE = ("tornado.application", "Waiting took longer than its handler_timeout of 0.02 s: GET /")


async def test_handler_that_exceeds_its_timeout_returns_503(
    loop_kind: str, tls: Any, expect_log: ExpectLog
) -> None:
    recorder = Recorder()
    with expect_log(*LATE):
        async with serving(
            web.Application([("/", waiting(recorder))], handler_timeout=SHORT), tls=tls
        ) as server:
            peer = await server.connect()
            assert (await peer.fetch("/")).code == 503
            assert recorder.entries == ["started", "cancelled", "finally", "on_finish 503"]
            recorder.entries.clear()
            assert (await peer.fetch("/")).code == 503  # the connection is still usable


@pytest.mark.parametrize(
    ("setting", "attribute", "code"),
    [
        (None, SHORT, 503),
        (60, SHORT, 503),
        (SHORT, 0, 200),
        (SHORT, 60.0, 200),
        (0, None, 200),
        (None, 0, 200),
    ],
)
async def test_timeout_of_the_class_overrides_the_setting(
    setting: Any, attribute: Any, code: int, expect_log: ExpectLog
) -> None:
    async def get(self: Any) -> None:
        await asyncio.sleep(10 * SHORT if code == 503 else 2 * SHORT)

    handler = handler_of(get=get, handler_timeout=attribute)
    settings = {} if setting is None else {"handler_timeout": setting}
    with expect_log("tornado.application", "handler_timeout", required=code == 503):
        async with serving(web.Application([("/", handler)], **settings)) as server:
            assert (await server.fetch("/")).code == code


async def test_generator_coroutine_that_exceeds_its_timeout_returns_503(expect_log: ExpectLog) -> None:
    ended: list[str] = []

    @gen.coroutine
    def get(self: Any) -> Any:
        try:
            yield Event().wait()
        finally:
            ended.append("finally")

    with expect_log("tornado.application", "handler_timeout"):
        async with serving(web.Application([("/", handler_of(get=get))], handler_timeout=SHORT)) as server:
            assert (await server.fetch("/")).code == 503
    assert ended == ["finally"]


async def test_timeout_truncates_a_response_in_progress(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        self.write("begun")
        await self.flush()
        await asyncio.Event().wait()

    with expect_log("tornado.application", "handler_timeout"):
        async with serving(web.Application([("/", handler_of(get=get))], handler_timeout=SHORT)) as server:
            peer = await server.connect()
            peer.get("/")
            assert (await peer.rest()).endswith(b"begun\r\n")  # without a last chunk


async def test_timeout_does_not_apply_after_the_response() -> None:
    """After the response is finished, the rest of the method may take any time."""
    done = asyncio.Event()

    async def get(self: Any) -> None:
        await self.finish("answer")
        await asyncio.sleep(3 * SHORT)
        done.set()

    async with serving(web.Application([("/", handler_of(get=get))], handler_timeout=SHORT)) as server:
        assert (await server.fetch("/")).body == b"answer"
        await done.wait()


@pytest.mark.parametrize("where", ["prepare", "data_received", "body"])
async def test_timeout_during_a_streamed_body(where: str, expect_log: ExpectLog) -> None:
    recorder = Recorder()

    async def wait_there(self: Any, chunk: bytes = b"") -> None:
        await self.wait()

    async def no_wait(self: Any, chunk: bytes = b"") -> None:
        pass

    members = {name: wait_there if name == where else no_wait for name in ("prepare", "data_received")}
    handler = web.stream_request_body(waiting(recorder, **members))
    with expect_log("tornado.application", "handler_timeout"):
        async with serving(web.Application([("/", handler)], handler_timeout=SHORT)) as server:
            peer = await server.connect()
            peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            response = await peer.response()
    assert (response.code, response.get("connection")) == (503, "close")


async def test_timeout_does_not_apply_to_a_detached_connection() -> None:
    done = asyncio.Event()

    async def get(self: Any) -> None:
        stream = self.request.connection.detach()
        self._finished = False
        self._auto_finish = False
        await asyncio.sleep(3 * SHORT)
        await stream.write(b"still here")
        stream.close()
        done.set()

    async with serving(web.Application([("/", handler_of(get=get))], handler_timeout=SHORT)) as server:
        peer = await server.connect()
        peer.get("/")
        assert await peer.rest() == b"still here"
        await done.wait()


@pytest.mark.parametrize("value", [-1, "10", float("nan")])
def test_invalid_handler_timeout_is_rejected(value: Any) -> None:
    with pytest.raises(ValueError, match="handler_timeout of RequestHandler must be a number of seconds"):
        web.Application(handler_timeout=value)


@pytest.mark.parametrize("error", [StreamClosedError, ZeroDivisionError])
async def test_exception_raised_in_place_of_the_cancellation(error: Any, expect_log: ExpectLog) -> None:
    """An exception raised in place of the cancellation is logged, unless it only reports the disconnect."""
    recorder = Recorder()

    async def wait(self: Any) -> None:
        recorder.note("started")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise error from None

    with expect_log("tornado.application", "Uncaught exception", required=error is ZeroDivisionError):
        async with serving(
            web.Application([("/", waiting(recorder, wait=wait))], cancel_on_disconnect=True)
        ) as server:
            peer = await server.connect()
            peer.get("/")
            await recorder.started.wait()
            await peer.close()
            await recorder.ended.wait()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "attributes",
    [
        {"handler_timeout": -1},
        {"handler_timeout": True},
        {"handler_timeout": "1"},
        {"cancel_on_disconnect": "no"},
    ],
)
async def test_invalid_attribute_returns_500(
    attributes: Any, streamed: bool, method: str, expect_log: Any
) -> None:
    async def answer(self: Any) -> None:
        await asyncio.sleep(0)

    handler = type("Handler", (web.RequestHandler,), {"get": answer, "post": answer, **attributes})
    if streamed:
        handler = web.stream_request_body(handler)
    (name,) = attributes
    async with serving(web.Application([("/", handler)])) as server:
        for _ in range(2):
            with expect_log("tornado.application", "Uncaught exception") as expected:
                response = await server.fetch("/", method=method, body=b"x" if method == "POST" else None)
            assert response.code == 500
            assert f"{name} of Handler must be " in str(expected.records[0].exc_info[1])


def test_invalid_cancel_on_disconnect_is_rejected() -> None:
    with pytest.raises(
        ValueError, match="cancel_on_disconnect of RequestHandler must be true or false, got 'no'"
    ):
        web.Application(cancel_on_disconnect="no")


async def test_log_contains_the_place_where_the_handler_waited(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    line = get.__code__.co_firstlineno + 2
    with expect_log("tornado.application", rf"; it was waiting at .*test_cancellation.py:{line} in get$"):
        application = web.Application([("/", handler_of(get=get))], handler_timeout=SHORT)
        async with serving(application) as server:
            assert b"CancelledError" not in (await server.fetch("/")).body
    with expect_log("tornado.application", f":{line} in get$"):
        application.settings["serve_traceback"] = True
        async with serving(application) as server:
            response = await server.fetch("/")
    assert response.code == 503
    assert b"CancelledError" in response.body


async def test_response_cut_off_is_logged_with_the_status_that_was_sent(expect_log: ExpectLog) -> None:
    logged: list[Any] = []

    async def get(self: Any) -> None:
        self.write("begun")
        await self.flush()
        await asyncio.Event().wait()

    application = web.Application(
        [("/", handler_of(get=get))],
        handler_timeout=SHORT,
        log_function=lambda handler: logged.append(handler.get_status()),
    )
    with expect_log("tornado.application", "in get; its response was cut off$"):
        async with serving(application) as server:
            peer = await server.connect()
            peer.get("/")
            answer = await peer.rest()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert not answer.endswith(b"0\r\n\r\n")
    assert logged == [200]
