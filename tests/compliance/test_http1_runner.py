"""The runner of ``compliance/http1`` sends as specified, and detects wrong responses."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from compliance.http1 import corpus, servers, table
from compliance.http1.__main__ import main
from compliance.http1.apps.echo import describe
from compliance.http1.case import (
    ANSWER,
    HOST,
    End,
    code,
    echo,
    either,
    get,
    last,
    must,
    opened,
    refused,
    seen,
    should,
    sized,
)
from compliance.http1.judge import Verdict, Word, judge
from compliance.http1.responses import Malformed, Response, ResponseParser
from compliance.http1.runner import SENTINEL, Feed, Result, Target, run_case, run_corpus
from compliance.http1.wire import FLOOD, RUN, SINGLE, pieces
from tests.compliance.lenient import talking


def body_for(target: str, **named: Any) -> bytes:
    return describe("GET", target, "HTTP/1.1", "a.example", named.get("fields", []), named.get("body", b""))


def answer(status: int = 200, body: bytes = b"", *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"", body])


ALL_WELL = answer(body=body_for("/x")) + answer(body=body_for("/sentinel"))


async def said(data: bytes, feed: Feed = Feed.WHOLE) -> Result:
    """Return the result for a server that reads the request and the sentinel, and then sends `data`."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(SENTINEL)
        writer.write(data)

    async with talking(talk) as address:
        return await run_case(must("x", "1", get(), echo()), Target("x", address), feed)


# Sending


@pytest.mark.parametrize("tls", ["plain", "tls"], indirect=True)
async def test_octets_are_sent_one_by_one(tls: Any) -> None:
    received: list[bytes] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            received.append(data)
            if b"".join(received).endswith(SENTINEL):
                self.transport.write(ALL_WELL)

    loop = asyncio.get_running_loop()
    context = tls.server_context if tls else None
    async with await loop.create_server(Protocol, "127.0.0.1", 0, ssl=context) as server:
        target = Target("x", server.sockets[0].getsockname(), tls.client_context if tls else None)
        result = await run_case(must("x", "1", get(), echo()), target, Feed.BYTES)
    assert result.end is End.OPEN
    assert received == [*(bytes([octet]) for octet in get()), SENTINEL]


def test_padding_and_floods_are_sent_in_larger_pieces() -> None:
    data = b"ab" + b"x" * RUN + b"c" + b"y" * (RUN - 1)
    assert list(pieces(data)) == [b"a", b"b", b"x" * RUN, b"c", *[b"y"] * (RUN - 1)]
    flood = b"ab" * SINGLE
    fed = list(pieces(flood))
    assert b"".join(fed) == flood
    assert {len(piece) for piece in fed[:SINGLE]} == {1}
    assert len(fed[SINGLE]) == FLOOD


async def test_rest_is_sent_after_a_response() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(5)
        writer.write(answer(body=body_for("/x", body=b"hello")))
        await reader.readuntil(SENTINEL)
        writer.write(answer(body=body_for("/sentinel")))

    case = must("x", "1", (get(), ANSWER, b"hello"), opened(code(100), seen(body=b"hello")))
    async with talking(talk) as address:
        target = Target("x", address)
        assert judge(case, await run_case(case, target, Feed.WHOLE)).word is Word.PASSED


async def test_nothing_follows_a_half_closed_case() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == get()
        writer.write(answer(body=body_for("/x")))

    case = must("x", "1", get(), last(target="/x"), half_close=True)
    async with talking(talk) as address:
        target = Target("x", address)
        assert judge(case, await run_case(case, target, Feed.BYTES)).word is Word.PASSED


async def test_cases_are_selected_by_server_and_transport() -> None:
    cases = [
        must("plain", "1", get(), echo(), tls=False),
        must("tls", "1", get(), echo(), tls=True),
        must("others", "1", get(), echo(), only=("y",)),
    ]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(SENTINEL)
        writer.write(ALL_WELL)

    async with talking(talk) as address:
        assert list(await run_corpus(cases, Target("x", address), Feed.WHOLE)) == ["/plain"]


async def test_deadline_lists_unfinished_cases() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(65536)).startswith(b"GET"):
            writer.write(ALL_WELL)
        await reader.read()

    cases = [must("answered", "1", get(), echo()), must("hanging", "1", b"POST", echo())]
    async with talking(talk) as address:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.2):
                await run_corpus(cases, Target("x", address), Feed.WHOLE)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert caught.value.__cause__.__notes__ == ["1 of 2 cases are not finished: /hanging"]


# Results


async def test_response_to_sentinel_means_open() -> None:
    result = await said(ALL_WELL)
    assert (result.end, [response.code for response in result.responses]) == (End.OPEN, [200])


async def test_end_of_input_means_closed() -> None:
    assert (await said(b"")).end is End.CLOSED
    result = await said(answer(400), Feed.BYTES)
    assert (result.end, [response.code for response in result.responses]) == (End.CLOSED, [400])


async def test_silence_is_neither_open_nor_closed() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    case = must("x", "1", get(), echo(), refused(400))
    async with talking(talk) as address:
        result = await run_case(case, Target("x", address, deadline=0.01), Feed.WHOLE)
    assert result.end is None
    assert judge(case, result).reason == "no response, then silence; allowed: 200, open | 400, closed"


async def test_malformed_response_is_a_fault() -> None:
    result = await said(b"Hello, world!\r\n\r\n")
    verdict = judge(must("x", "1", get(), echo()), result)
    assert verdict.word is Word.FAILED
    assert verdict.reason.startswith("no response, then status line b'Hello, world!'")


def test_responses_are_framed_by_length_chunks_close_and_head() -> None:
    parser = ResponseParser(lambda index: index == 2)
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\n\r\n"
    to_head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    data = answer(200, b"hi", b"A: 1", b"A:2 ") + chunks + to_head + b"HTTP/1.1 204\r\n\r\n" + answer()
    found = [response for octet in data for response in parser.receive(bytes([octet]))]
    assert [(each.code, each.body) for each in found] == [
        (200, b"hi"),
        (200, b"abc"),
        (200, b""),
        (204, b""),
        (200, b""),
    ]
    assert found[0].get("a") == "1, 2"
    assert parser.receive(b"HTTP/1.0 200 OK\r\n\r\nto the end") == []
    assert [each.body for each in parser.end()] == [b"to the end"]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ],
)
def test_responses_that_cannot_be_framed(data: bytes) -> None:
    with pytest.raises(Malformed):
        ResponseParser(lambda index: False).receive(data)


def test_truncated_response_is_malformed() -> None:
    parser = ResponseParser(lambda index: False)
    assert parser.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") == []
    with pytest.raises(Malformed, match="closed inside a response"):
        parser.end()


# Verdicts


def result(*responses: Response, end: End = End.OPEN) -> Result:
    return Result(list(responses), end)


ECHO = Response(200, (), body_for("/x", fields=[("X-A", "1"), ("x-a", "2")], body=b"hello"))


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ({"target": "/x", "method": "GET", "version": "HTTP/1.1", "host": "a.example"}, None),
        ({"fields": {"x-a": ["1", "2"]}, "absent": ["x-b"], "body": b"hello"}, None),
        ({"target": "/y"}, "saw target '/x', expected '/y'"),
        ({"fields": {"x-a": ["1"]}}, "saw x-a: ['1', '2']"),
        ({"absent": ["x-a"]}, "saw a field x-a"),
        ({"body": b"hellO"}, "saw a body of 5 bytes, expected b'hellO'"),
        ({"body": b""}, "saw a body of 5 bytes, expected b''"),
    ],
)
def test_echo_is_compared(expected: Any, reason: str | None) -> None:
    verdict = judge(must("x", "1", get(), echo(**expected)), result(ECHO))
    assert verdict.word is (Word.PASSED if reason is None else Word.FAILED)
    assert reason is None or reason in verdict.reason


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        (result(ECHO, end=End.CLOSED), False),
        (result(ECHO, ECHO), False),
        (result(), False),
        (result(Response(201, ())), False),
        (result(Response(405, (("allow", "GET"),))), True),
        (result(Response(405, (("allow", "GET"),)), end=End.CLOSED), True),
        (result(Response(405, ())), False),
        (result(Response(405, (("allow", "GET"), ("te", "x")))), False),
    ],
)
def test_responses_and_end_are_compared(found: Result, allowed: bool) -> None:
    case = must("x", "1", get(), echo(target="/x"), either(code(405, lacks=("te",), allow=None)))
    assert judge(case, found).word is (Word.PASSED if allowed else Word.FAILED)


def test_strict_allows_only_the_own_outcome_with_or_without_100() -> None:
    case = should("x", "1", get(), echo(), opened(code(100), seen()), refused(400))
    interim = Response(100, ())
    assert judge(case, result(ECHO), strict=True).word is Word.PASSED
    assert judge(case, result(interim, ECHO), strict=True).word is Word.PASSED
    refusal = result(Response(400, ()), end=End.CLOSED)
    assert judge(case, refusal).word is Word.PASSED
    assert judge(case, refusal, strict=True).word is Word.FAILED
    named = should("x", "1", get(), either(code(400, 405)), ours=opened(code(405)))
    assert judge(named, result(Response(405, ())), strict=True).word is Word.PASSED
    assert judge(named, result(Response(405, ()), end=End.CLOSED), strict=True).word is Word.FAILED
    assert judge(named, result(Response(400, ())), strict=True).word is Word.FAILED
    assert judge(named, result(Response(400, ()))).word is Word.PASSED


def test_fields_are_unseen_in_an_echo_in_lines() -> None:
    lines = b"method=GET\ntarget=/a=b\nversion=HTTP/1.1\nhost=\nlength=5\n"
    shown = result(Response(200, (), lines))
    assert judge(must("x", "1", get(), echo(target="/a=b", body=b"hello")), shown).word is Word.PASSED
    assert judge(must("x", "1", get(), echo(body=b"hell")), shown).word is Word.FAILED
    assert judge(must("x", "1", get(), echo(fields={"x": ["1"]})), shown).word is Word.UNSEEN


# Tables


def test_table_counts_by_group_and_lists_failures(monkeypatch: Any, tmp_path: Any) -> None:
    cases = [case for case in corpus.load() if case.group == "methods"][:3]
    passed, failed = Verdict(Word.PASSED), Verdict(Word.FAILED, "400, closed; allowed: 200, open")
    first, second, third = (case.title for case in cases)
    column = table.Column(
        "Some server 1.0",
        {
            Feed.WHOLE: {first: passed, second: failed, third: passed},
            Feed.BYTES: {first: passed, second: passed, third: Verdict(Word.UNSEEN)},
        },
    )
    assert table.summary(column, cases) == "1 passed, 1 failed, 1 n/a"
    (line,) = table.failures(column, cases)
    assert line.endswith("(RFC 9110 9.3.2, MUST): 400, closed; allowed: 200, open [fed as whole only]")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    monkeypatch.setattr(table, "README", readme)
    table.write([column], cases, "today")
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| methods | 3 | 1 + 0 (1 n/a) |" in text
    assert "`400, closed [fed as whole only]`: head-then-get (9110 9.3.2)" in text


# Servers


def test_program_of_waterspout_runs_as_a_server() -> None:
    with servers.running(servers.SERVERS["ours"], deadline=20) as target:
        case = must("x", "1", sized(b"hello"), echo(body=b"hello", fields={"host": [HOST[6:]]}))
        assert judge(case, asyncio.run(run_case(case, target, Feed.BYTES))).word is Word.PASSED
    assert servers.SERVERS["ours"].describe().startswith("Waterspout 6.6.1")


def test_command_line_selects_cases_and_prints_counts(monkeypatch: Any, capsys: Any) -> None:
    arguments = ["--only", "chunks/one", "host/missing", "limits/body-over", "--tls", "--feed", "bytes"]
    monkeypatch.setattr(sys, "argv", ["http1", *arguments])
    assert main() == 0
    assert capsys.readouterr().out.endswith(": 5 passed, 0 failed, 0 n/a\n")


def test_server_that_does_not_start_shows_its_output() -> None:
    broken = servers.Server("x", "Broken", "no_such_program.py", "ours")
    with pytest.raises(RuntimeError, match="(?s)Broken did not start.*no_such_program"):
        with servers.running(broken, deadline=1):
            pass


def test_servers_are_selected_by_a_list() -> None:
    assert [server.name for server in servers.names("ours,nginx")] == ["ours", "nginx"]
    assert len(servers.names("all")) == len(servers.SERVERS)
    with pytest.raises(SystemExit, match="unknown server apache"):
        servers.names("apache")
