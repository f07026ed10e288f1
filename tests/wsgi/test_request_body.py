"""`SpooledBody`: request bodies in memory and on disk."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest

from tests.support.wsgi import BATCH, end_job_without_callback, is_closed, replace_move_to_disk, waiting_size
from tornado.httputil import HTTPHeaders, RequestStartLine
from tornado.wsgi._request_body import SpooledBody, SpooledRequest


@pytest.mark.parametrize("pieces", [[b"0123456789"], [b"01234", b"56789"], [b"%d" % i for i in range(10)]])
@pytest.mark.parametrize("limit", [0, 3, 9, 10, 100])
def test_body_over_the_limit_is_stored_on_disk(pieces, limit):
    spool = SpooledBody(limit)
    for piece in pieces:
        spool.write(piece)
    assert spool.size == 10
    file = spool.rewind()
    assert isinstance(file, io.BytesIO) is (limit >= 10)
    assert file.read(4) == b"0123"
    assert spool.read() == b"0123456789"
    assert file.read() == b"456789"
    spool.close()
    assert file.closed
    spool.close()


def test_body_can_be_read_by_lines():
    spool = SpooledBody(3)
    spool.write(b"a\nb\nc")
    file = spool.rewind()
    assert file.readline() == b"a\n"
    assert list(file) == [b"b\n", b"c"]
    assert spool.rewind().readlines() == [b"a\n", b"b\n", b"c"]
    spool.close()


def form(limit):
    headers = HTTPHeaders({"Host": "a", "Content-Type": "application/x-www-form-urlencoded"})
    request = SpooledRequest(limit, start_line=RequestStartLine("POST", "/?q=1", "HTTP/1.1"), headers=headers)
    request.spooled.write(b"a=2")
    return request


@pytest.mark.parametrize("limit", [1, 100])
def test_body_and_arguments_of_request(limit):
    request = form(limit)
    assert request.body == b"a=2"
    assert request.query_arguments == {"q": [b"1"]}
    assert request.body_arguments == {"a": [b"2"]}
    assert request.arguments == {"q": [b"1"], "a": [b"2"]}
    assert request.files == {}
    request.spooled.close()


def test_body_may_be_replaced():
    request = form(1)
    request.body = b"other"
    file, size = request.body_input()
    assert (file.read(), size, request.body) == (b"other", 5, b"other")
    request.spooled.close()


LARGE = bytes(range(256)) * 4096


async def test_disk_is_written_in_thread(monkeypatch):
    writers = set()
    write = SpooledBody.write

    def noted(self, data):
        writers.add(threading.current_thread() is threading.main_thread())
        write(self, data)

    monkeypatch.setattr(SpooledBody, "write", noted)
    spool = SpooledBody(100)
    assert spool.receive(LARGE[:100]) is None
    assert spool.is_complete
    assert writers == {True}
    writers.clear()
    waited = 0
    for at in range(100, len(LARGE), 65536):
        waiting = spool.receive(LARGE[at : at + 65536])
        assert not spool.is_complete
        if waiting is not None:
            waited += 1
            await waiting
        assert waiting_size(spool) <= BATCH + 65536
    assert waited
    await spool.complete()
    assert writers == {False}
    assert (spool.size, spool.read()) == (len(LARGE), LARGE)
    spool.abandon()
    while not is_closed(spool):
        await asyncio.sleep(0)


async def test_abandon_during_write_closes_file(monkeypatch):
    gate = threading.Event()
    write = SpooledBody.write

    def held(self, data):
        assert gate.wait(25)
        write(self, data)

    monkeypatch.setattr(SpooledBody, "write", held)
    spool = SpooledBody(100)
    assert spool.receive(LARGE) is None
    waiting = spool.receive(LARGE)
    spool.abandon()
    assert not is_closed(spool)
    gate.set()
    await waiting
    while not is_closed(spool):
        await asyncio.sleep(0)


async def test_error_of_disk_is_raised_by_each_method(monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    replace_move_to_disk(monkeypatch, full)
    spool = SpooledBody(100)
    assert spool.receive(LARGE) is None
    with pytest.raises(OSError, match="No space"):
        await spool.receive(LARGE)
    with pytest.raises(OSError, match="No space"):
        spool.receive(b"more")
    with pytest.raises(OSError, match="No space"):
        await spool.complete()
    spool.close()


async def test_complete_between_the_end_of_a_job_and_its_callback():
    spool = SpooledBody(100)
    assert spool.receive(LARGE) is None
    call_back = await end_job_without_callback(spool)
    asyncio.get_running_loop().call_soon(call_back)
    await spool.complete()
    assert spool.read() == LARGE
    spool.close()
