"""Calls of an ASGI application for HTTP requests: bodies, disconnects, and faults of the application."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.asgi.conftest import echo, read_body, respond
from tests.support.server import serving
from tests.support.streams import is_paused, run_loop_iterations
from tornado.asgi import ASGIContainer
from tornado.iostream import StreamClosedError
from tornado.web import Application


class Call:
    """An application that a test controls: it runs `steps` and keeps their result."""

    def __init__(self, steps):
        self.steps = steps
        self.result = asyncio.get_running_loop().create_future()

    async def __call__(self, scope, receive, send):
        try:
            self.result.set_result(await self.steps(receive, send))
        except Exception as error:
            self.result.set_exception(error)
            self.result.exception()
            raise


START = {"type": "http.response.start", "status": 200}


# -- the request body --


async def test_request_without_a_body():
    async def steps(receive, send):
        first = await receive()
        await respond(send)
        return first, await receive()

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        await server.fetch("/")
    first, second = call.result.result()
    assert first == {"type": "http.request", "body": b"", "more_body": False}
    assert second == {"type": "http.disconnect"}


async def test_small_body_is_received_in_one_message():
    async def steps(receive, send):
        message = await receive()
        await respond(send)
        return message

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        await server.fetch("/", method="POST", body=b"abc")
    assert await call.result == {"type": "http.request", "body": b"abc", "more_body": False}


async def test_body_is_received_as_it_arrives():
    async def steps(receive, send):
        while True:
            message = await receive()
            messages.put_nowait(message)
            if not message["more_body"]:
                return await respond(send)

    messages = asyncio.Queue()
    async with serving(ASGIContainer(Call(steps))) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (b"one", b"two"):
            peer.send(b"3\r\n" + part + b"\r\n")
            assert await messages.get() == {"type": "http.request", "body": part, "more_body": True}
        peer.send(b"0\r\n\r\n")
        assert await messages.get() == {"type": "http.request", "body": b"", "more_body": False}
        assert (await peer.response()).code == 200


async def test_unread_body_pauses_the_client():
    async def steps(receive, send):
        await going_on.wait()
        size = largest = 0
        while True:
            message = await receive()
            size += len(message["body"])
            largest = max(largest, len(message["body"]))
            if not message["more_body"]:
                await respond(send)
                return size, largest

    going_on, total = asyncio.Event(), 50_000_000
    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        peer.get("/", method="POST", body=bytes(total))
        draining = asyncio.ensure_future(peer.writer.drain())
        while not any(is_paused(each.stream) for each in server.connections):
            await run_loop_iterations()
        assert not draining.done()
        going_on.set()
        assert (await peer.response()).code == 200
        await draining
    size, largest = await call.result
    assert size == total
    assert largest < 1_000_000


async def test_response_before_the_end_of_the_body():
    async def steps(receive, send):
        await respond(send, b"early", 413)
        return await receive()

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        response = await peer.response()
        assert (response.code, response.get("connection")) == (413, "close")
        assert await call.result == {"type": "http.disconnect"}


async def test_unread_small_body_keeps_the_connection():
    async def steps(receive, send):
        await respond(send)

    async with serving(ASGIContainer(lambda *args: Call(steps)(*args))) as server:
        peer = await server.connect()
        for _ in range(3):
            response = await peer.fetch("/", method="POST", body=b"abc")
            assert (response.code, response.get("connection")) == (200, None)


async def test_100_continue_is_sent_when_the_application_wants_the_body():
    async def steps(receive, send):
        await asked.wait()
        body = await read_body(receive)
        await respond(send, body)

    asked = asyncio.Event()
    async with serving(ASGIContainer(Call(steps))) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        reading = asyncio.ensure_future(peer.response())
        await asyncio.sleep(0)
        asked.set()
        assert (await reading).code == 100
        peer.send(b"abc")
        assert (await peer.response()).body == b"abc"


async def test_rejected_expectation_gets_no_100():
    async def steps(receive, send):
        await respond(send, status=401)

    async with serving(ASGIContainer(Call(steps))) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await peer.response()).code == 401


@pytest.mark.parametrize("chunked", [False, True])
async def test_body_over_the_limit_is_413(chunked):
    async def steps(receive, send):
        while (message := await receive())["type"] == "http.request":
            pass
        with pytest.raises(StreamClosedError):
            await respond(send)
        return message

    call = Call(steps)
    async with serving(ASGIContainer(call), max_body_size=1000) as server:
        peer = await server.connect()
        if chunked:
            peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            peer.send(b"7d0\r\n" + bytes(2000))
        else:
            peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
        assert (await peer.response()).code == 413
        assert await call.result == {"type": "http.disconnect"}


# -- disconnects --


async def test_disconnect_is_received_and_cancels_nothing():
    async def steps(receive, send):
        await receive()
        event = await receive()
        await asyncio.sleep(0)
        return event

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.close()
        assert await call.result == {"type": "http.disconnect"}


async def test_disconnect_wakes_all_waiting_calls():
    async def steps(receive, send):
        await receive()
        return await asyncio.gather(receive(), receive(), receive())

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.close()
        assert await call.result == [{"type": "http.disconnect"}] * 3


async def test_application_that_ignores_the_disconnect_does_not_block_the_event_loop():
    async def application(scope, receive, send):
        if scope["path"] == "/other":
            await respond(send, b"other")
            return
        while not released.is_set():
            await receive()
        ended.set()

    released, ended = asyncio.Event(), asyncio.Event()
    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.close()
        assert (await server.fetch("/other")).body == b"other"
        released.set()
        await ended.wait()


async def test_client_that_has_closed_its_sending_side_receives_its_response():
    async def steps(receive, send):
        await going_on.wait()
        events = await receive(), await receive()
        await respond(send, b"late")
        return events

    async def application(scope, receive, send):
        await (respond(send) if scope["path"] == "/other" else call(scope, receive, send))

    going_on = asyncio.Event()
    call = Call(steps)
    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        peer.get("/", method="POST", body=b"abc")
        peer.writer.write_eof()
        await server.fetch("/other")  # the end has arrived before the response
        going_on.set()
        assert (await peer.response()).body == b"late"
        assert await peer.rest() == b""
    request = {"type": "http.request", "body": b"abc", "more_body": False}
    assert call.result.result() == (request, {"type": "http.disconnect"})


@pytest.mark.parametrize("begun", [False, True])
async def test_return_after_a_half_close_closes_the_connection(begun):
    async def steps(receive, send):
        if begun:
            await send(START)
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(ASGIContainer(Call(steps))) as server:
        peer = await server.connect()
        peer.get("/")
        peer.writer.write_eof()
        data = await peer.rest()
        assert data.endswith(b"3\r\nabc\r\n") if begun else data == b""


async def test_disconnect_in_the_body():
    async def steps(receive, send):
        first = await receive()
        return first, await receive()

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        await peer.close()
        _, event = await call.result
    assert event == {"type": "http.disconnect"}


async def test_send_after_a_disconnect_raises_an_oserror_that_is_not_logged():
    async def steps(receive, send):
        await send(START)
        while True:
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.reader.readexactly(1000)
        peer.writer.transport.abort()
        with pytest.raises(OSError) as caught:
            await call.result
    assert isinstance(caught.value, StreamClosedError)


async def test_receive_and_send_after_the_response():
    async def steps(receive, send):
        await respond(send)
        with pytest.raises(RuntimeError, match="expected no further message: the response is complete"):
            await send({"type": "http.response.body"})
        return await receive()

    call = Call(steps)
    async with serving(ASGIContainer(call)) as server:
        peer = await server.connect()
        assert (await peer.fetch("/")).code == 200
        assert await call.result == {"type": "http.disconnect"}


async def test_work_after_the_response_does_not_delay_the_next_request():
    async def application(scope, receive, send):
        await respond(send, scope["raw_path"])
        if scope["path"] == "/slow":
            await released.wait()
            done.set()

    released, done = asyncio.Event(), asyncio.Event()
    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        assert (await peer.fetch("/slow")).body == b"/slow"
        assert (await peer.fetch("/fast")).body == b"/fast"
        released.set()
        await done.wait()


# -- faults of the application --


async def test_exception_before_the_response_is_500_and_logged_once(expect_log):
    async def steps(receive, send):
        await send(START)  # it has not been sent to the client yet
        raise ValueError("fault")

    with expect_log("tornado.application", r"exception in the ASGI application: GET /x%0a \(127") as log:
        async with serving(ASGIContainer(lambda *args: Call(steps)(*args))) as server:
            peer = await server.connect()
            response = await peer.fetch("/x%0a")
            assert (response.code, response.body) == (500, b"Internal Server Error")
            assert (await peer.fetch("/x%0a")).code == 500
    assert len(log.records) == 2


@pytest.mark.parametrize("length", [True, False])
async def test_exception_in_the_middle_closes_the_connection(length, expect_log):
    async def steps(receive, send):
        await send({**START, "headers": [(b"content-length", b"10")] if length else []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        raise ValueError("fault")

    with expect_log("tornado.application", "Uncaught exception in the ASGI application") as log:
        async with serving(ASGIContainer(Call(steps))) as server:
            data = await server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert data.endswith(b"abc" if length else b"3\r\nabc\r\n")
    assert len(log.records) == 1


@pytest.mark.parametrize("begun", [False, True])
async def test_application_that_returns_without_completing_its_response(begun, expect_log):
    async def steps(receive, send):
        if begun:
            await send(START)
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})

    with expect_log("tornado.application", "returned without completing its response to GET /"):
        async with serving(ASGIContainer(Call(steps))) as server:
            peer = await server.connect()
            peer.get("/")
            if begun:
                assert (await peer.rest()).endswith(b"3\r\nabc\r\n")
            else:
                assert (await peer.response()).code == 500


async def test_cancelled_application_of_a_drained_server(expect_log):
    async def steps(receive, send):
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    with expect_log("tornado.general", "handlers cancelled at the end of the grace period: GET /slow"):
        async with serving(ASGIContainer(Call(steps))) as server:
            peer = await server.connect()
            peer.get("/slow")
            await started.wait()
            result = await server.server.drain(grace=0)
            assert len(result.cancelled) == 1
            assert (await peer.response()).code == 500


async def test_drain_waits_for_a_streaming_application():
    async def steps(receive, send):
        body = await read_body(receive)
        await respond(send, body)

    async with serving(ASGIContainer(Call(steps))) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        await asyncio.sleep(0)
        draining = asyncio.ensure_future(server.server.drain(grace=20))
        await asyncio.sleep(0)
        peer.send(b"def")
        response = await peer.response()
        assert (response.body, response.get("connection")) == (b"abcdef", "close")
        await peer.close()
        assert (await draining).clean


# -- the access log --


@pytest.mark.parametrize(("status", "level"), [(200, "INFO"), (404, "WARNING"), (500, "ERROR")])
async def test_access_log(status, level, caplog, expect_log):
    async def steps(receive, send):
        await respond(send, status=status)

    with expect_log("tornado.access", "", required=False):
        with caplog.at_level(logging.INFO, "tornado.access"):
            async with serving(ASGIContainer(Call(steps)), access_log=logging.INFO) as server:
                await server.fetch("/a?b")
    (record,) = [each for each in caplog.records if each.name == "tornado.access"]
    assert record.levelname == level
    assert record.getMessage().startswith(f"{status} GET /a?b (127.0.0.1) ")


async def test_route_of_an_application_streams_as_well():
    async with serving(Application([("/.*", ASGIContainer(echo))]), max_body_size=10**9) as server:
        body = bytes(20_000_000)
        response = await server.fetch("/", method="POST", body=body)
    assert response.body == body
