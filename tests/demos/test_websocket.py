from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.program import ROOT, Program
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection, websocket_connect

ARGUMENTS = ("--port={port}", "--history=:memory:")


@pytest.fixture
def program() -> Iterator[Program]:
    with Program("demos/websocket/main.py", ARGUMENTS) as running:
        yield running
        assert "Traceback" not in running.output()


class Person:
    """The connection of a page, after the initial messages."""

    def __init__(self, connection: WebSocketClientConnection, first: dict[str, Any]) -> None:
        self.connection = connection
        self.found = first["messages"]
        self.reset = first["reset"]

    async def hears(self) -> dict[str, Any]:
        message = await self.connection.read_message()
        assert isinstance(message, str), (self.connection.close_code, self.connection.close_reason)
        return json.loads(message)

    async def hears_text(self) -> tuple[str, str]:
        (message,) = (await self.hears())["messages"]
        return message["name"], message["text"]

    async def says(self, text: str, key: str | None = None) -> None:
        said = {"key": key or uuid.uuid4().hex, "text": text}
        await self.connection.write_message(said)


def address(program: Program, **query: str) -> str:
    return f"ws://127.0.0.1:{program.port}/chat?{urlencode(query)}"


@contextlib.asynccontextmanager
async def entered(program: Program, name: str, since: str = ""):
    async with websocket_connect(address(program, name=name, since=since)) as connection:
        first = await connection.read_message()
        assert isinstance(first, str)
        yield Person(connection, json.loads(first))


async def test_messages_and_names_reach_every_page(program):
    async with entered(program, "Ann") as ann:
        assert await ann.hears() == {"people": ["Ann"]}
        async with entered(program, "bob") as bob:
            for person in (ann, bob):
                assert await person.hears() == {"people": ["Ann", "bob"]}
            await bob.says(" Hello, Ann ")
            for person in (ann, bob):
                assert await person.hears_text() == ("bob", "Hello, Ann")
        assert await ann.hears() == {"people": ["Ann"]}


async def test_name_with_two_windows_is_listed_once(program):
    async with entered(program, "Ann"), entered(program, " Ann ") as again:
        assert await again.hears() == {"people": ["Ann"]}


@pytest.fixture
def demo(monkeypatch) -> dict[str, Any]:
    """The program's global names, without its options."""
    monkeypatch.setattr("tornado.options.define", lambda *_args, **_keywords: None)
    return runpy.run_path(str(ROOT / "demos/websocket/main.py"), run_name="websocket")


class Guest:
    def __init__(self, name: str) -> None:
        self.name = name


async def test_simultaneous_arrivals_cause_one_update(demo, clock, monkeypatch):
    updates: list[Any] = []
    room = demo["Room"](None)
    monkeypatch.setattr(room, "send_all", updates.append)
    guests = [Guest(f"{number:03}") for number in range(1000)]
    for guest in guests:
        room.enter(guest)
    await asyncio.sleep(1)
    assert updates == [{"people": [guest.name for guest in guests]}]
    for guest in guests[1:]:
        room.leave(guest)
    await asyncio.sleep(1)
    assert updates[1:] == [{"people": ["000"]}]


async def test_reconnect_receives_missed_messages(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        for text in ("one", "two", "three"):
            await ann.says(text)
        heard = [(await ann.hears())["messages"][0] for _ in range(3)]
        for since, missed, reset in (
            (heard[0]["key"], heard[1:], False),
            (heard[2]["key"], [], False),
            ("", heard, True),
            ("nobody knows it", heard, True),
        ):
            async with entered(program, "Bob", since) as bob:
                assert (bob.found, bob.reset) == (missed, reset)


async def test_reconnect_after_long_absence_receives_the_latest_messages(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        for number in range(201):
            await ann.says(str(number))
        heard = [(await ann.hears())["messages"][0] for _ in range(201)]
        for since, reset in ((heard[0]["key"], True), (heard[1]["key"], False)):
            async with entered(program, "Bob", since) as bob:
                assert bob.reset is reset
                assert bob.found == heard[1 + (not reset) :]


async def test_resent_message_with_same_key_is_delivered_once(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        key = uuid.uuid4()
        for form in (str(key), key.hex):
            await ann.says("hello", form)
        await ann.says("and goodbye")
        assert await ann.hears_text() == ("Ann", "hello")
        assert await ann.hears_text() == ("Ann", "and goodbye")


async def test_messages_survive_a_restart(tmp_path):
    arguments = ("--port={port}", f"--history={tmp_path}/chat.sqlite")
    with Program("demos/websocket/main.py", arguments) as program:
        async with entered(program, "Ann") as ann:
            await ann.hears()
            await ann.says("remember")
            assert await ann.hears_text() == ("Ann", "remember")
            program.restart()
            assert await ann.connection.read_message() is None
        async with entered(program, "Bob") as bob:
            assert [message["text"] for message in bob.found] == ["remember"]


@pytest.mark.parametrize(
    "said",
    [
        "no JSON",
        "[]",
        '{"key": "no UUID", "text": "x"}',
        '{"key": 1, "text": "x"}',
        '{"text": "x"}',
        json.dumps({"key": "a" * 32}),
        json.dumps({"key": "a" * 32, "text": "  "}),
        json.dumps({"key": "a" * 32, "text": "x" * 2001}),
    ],
)
async def test_malformed_message_closes_the_connection(program, said):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        await ann.connection.write_message(said)
        assert await ann.connection.read_message() is None
        assert ann.connection.close_code == 1008


async def test_too_large_message_closes_the_connection(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        await ann.says("x" * 2**20)
        assert await ann.connection.read_message() is None
        assert ann.connection.close_code in (1009, None)  # None: reset during the send


@pytest.mark.parametrize("name", ["", "  ", "x" * 31])
async def test_connection_without_valid_name_is_refused(program, name):
    with pytest.raises(HTTPClientError) as caught:
        await websocket_connect(address(program, name=name))
    assert caught.value.code == 400


async def test_other_origin_is_refused(program):
    with pytest.raises(HTTPClientError) as caught:
        await websocket_connect(address(program, name="Eve"), headers={"Origin": "http://evil.example"})
    assert caught.value.code == 403


def test_unusable_history_file_is_reported_in_one_line(tmp_path):
    file = tmp_path / "nowhere" / "chat.sqlite"
    arguments = ("--port=0", f"--history={file}")
    status, output = Program("demos/websocket/main.py", arguments).run_to_its_end()
    assert (status, output) == (1, f"websocket: {file}: unable to open database file\n")
