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
    """A page's connection; begins with what it is told first."""

    def __init__(self, connection: WebSocketClientConnection, first: dict[str, Any]) -> None:
        self.connection = connection
        self.found = first["messages"]
        self.anew = first["anew"]

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


async def test_everybody_hears_and_knows_who_is_there(program):
    async with entered(program, "Ann") as ann:
        assert await ann.hears() == {"people": ["Ann"]}
        async with entered(program, "bob") as bob:
            for person in (ann, bob):
                assert await person.hears() == {"people": ["Ann", "bob"]}
            await bob.says(" Hello, Ann ")
            for person in (ann, bob):
                assert await person.hears_text() == ("bob", "Hello, Ann")
        assert await ann.hears() == {"people": ["Ann"]}


async def test_who_has_two_windows_is_named_once(program):
    async with entered(program, "Ann"), entered(program, " Ann ") as again:
        assert await again.hears() == {"people": ["Ann"]}


@pytest.fixture
def demo(monkeypatch) -> dict[str, Any]:
    """The names in the program, without its options."""
    monkeypatch.setattr("tornado.options.define", lambda *_args, **_keywords: None)
    return runpy.run_path(str(ROOT / "demos/websocket/main.py"), run_name="websocket")


class Guest:
    def __init__(self, name: str) -> None:
        self.name = name


async def test_many_who_come_at_once_are_told_of_once(demo, clock, monkeypatch):
    told: list[Any] = []
    room = demo["Room"](None)
    monkeypatch.setattr(room, "tell", told.append)
    guests = [Guest(f"{number:03}") for number in range(1000)]
    for guest in guests:
        room.enter(guest)
    await asyncio.sleep(1)
    assert told == [{"people": [guest.name for guest in guests]}]
    for guest in guests[1:]:
        room.leave(guest)
    await asyncio.sleep(1)
    assert told[1:] == [{"people": ["000"]}]


async def test_who_comes_back_gets_what_was_missed(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        for text in ("one", "two", "three"):
            await ann.says(text)
        heard = [(await ann.hears())["messages"][0] for _ in range(3)]
        for since, missed, anew in (
            (heard[0]["key"], heard[1:], False),
            (heard[2]["key"], [], False),
            ("", heard, True),
            ("nobody knows it", heard, True),
        ):
            async with entered(program, "Bob", since) as bob:
                assert (bob.found, bob.anew) == (missed, anew)


async def test_who_has_missed_too_much_begins_anew_with_the_latest(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        for number in range(201):
            await ann.says(str(number))
        heard = [(await ann.hears())["messages"][0] for _ in range(201)]
        for since, anew in ((heard[0]["key"], True), (heard[1]["key"], False)):
            async with entered(program, "Bob", since) as bob:
                assert bob.anew is anew
                assert bob.found == heard[1 + (not anew) :]


async def test_what_is_said_again_with_the_same_key_is_heard_once(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        key = uuid.uuid4()
        for form in (str(key), key.hex):
            await ann.says("hello", form)
        await ann.says("and goodbye")
        assert await ann.hears_text() == ("Ann", "hello")
        assert await ann.hears_text() == ("Ann", "and goodbye")


async def test_what_was_said_outlives_the_program(tmp_path):
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
        json.dumps({"key": uuid.uuid4().hex}),
        json.dumps({"key": uuid.uuid4().hex, "text": "  "}),
        json.dumps({"key": uuid.uuid4().hex, "text": "x" * 2001}),
    ],
)
async def test_what_is_no_message_closes_the_connection(program, said):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        await ann.connection.write_message(said)
        assert await ann.connection.read_message() is None
        assert ann.connection.close_code == 1008


async def test_a_message_of_a_megabyte_is_not_read(program):
    async with entered(program, "Ann") as ann:
        await ann.hears()
        await ann.says("x" * 2**20)
        assert await ann.connection.read_message() is None
        assert ann.connection.close_code in (1009, None)  # None: reset while we were still sending


@pytest.mark.parametrize("name", ["", "  ", "x" * 31])
async def test_nobody_comes_in_without_a_proper_name(program, name):
    with pytest.raises(HTTPClientError) as caught:
        await websocket_connect(address(program, name=name))
    assert caught.value.code == 400


async def test_pages_of_other_sites_are_refused(program):
    with pytest.raises(HTTPClientError) as caught:
        await websocket_connect(address(program, name="Eve"), headers={"Origin": "http://evil.example"})
    assert caught.value.code == 403


def test_a_history_that_cannot_be_opened_is_one_clear_line(tmp_path):
    file = tmp_path / "nowhere" / "chat.sqlite"
    arguments = ("--port=0", f"--history={file}")
    status, output = Program("demos/websocket/main.py", arguments).run_to_its_end()
    assert (status, output) == (1, f"websocket: {file}: unable to open database file\n")
