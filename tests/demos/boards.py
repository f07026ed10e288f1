"""The message board with a separate database, and its visitors."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.seeds.client import Answer, Visitor
from tests.support.databases import MariaDB
from tests.support.program import Program

FIELDS = ("name", "email", "address", "message")
Select = Callable[[str], list[tuple[Any, ...]]]

#: Values that break programs which mix text and code, one set per message; they must be stored and shown
#: unchanged.
HOSTILE: tuple[dict[str, str], ...] = (
    {
        "name": "Robert'); DROP TABLE board_messages; --",
        "email": "\"'><script>alert(1)</script>@example.org",
        "address": '" autofocus onfocus="alert(2)',
        "message": "</textarea><script>alert(3)</script><img src=x onerror=alert(4)>",
    },
    {
        "name": "%s %(name)s %% ? ?",
        "email": "{{1+1}}@{%end%}",
        "address": "{{ 1 + 1 }} {% raw name %} {# #} ${x} \\' \\0 \\",
        "message": "?, ?, ?\n%s\n{% apply upper %}a{% end %}\n&lt;b&gt; &amp;amp; <b>bold</b>\n\n\n'';--",
    },
    {
        "name": "👩‍👩‍👧‍👦 𝕬𝖓𝖓 🇩🇪",
        "email": "𠮷@例え.jp",
        "address": "𠀀𠀁 \u200d e\u0301 \u00e9",
        "message": "4 bytes: 😀𐍈\n\tZ͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!  two  spaces ",
    },
    {
        "name": "عبد الله",
        "email": "\u202egro.elpmaxe@nna",
        "address": "\u2067ירושלים\u2069 12",
        "message": "שלום \u202e reversed \u202d\nمرحبا\u2028line\u2029paragraph\ufeff",
    },
    {"name": "n" * 80, "email": "e" * 252 + "@x", "address": "😀" * 200, "message": "𠮷" * 4000},
)


class Board:
    """The running program and access to its database."""

    def __init__(self, program: Program, select: Select) -> None:
        self.program = program
        self.select = select

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the fields of all messages, oldest first."""
        return self.select(f"SELECT {', '.join(FIELDS)} FROM board_messages ORDER BY id")


@contextmanager
def running_board(url: str, select: Select, *arguments: str) -> Iterator[Board]:
    """Run the demo with its messages at `url`; afterwards the log must contain no error or warning."""
    given = ["--port={port}", f"--database={url}".replace("{", "{{"), *arguments]
    with Program("demos/board/main.py", given) as program:
        yield Board(program, select)
        program.stop()
        output = program.output()
    assert "Traceback" not in output
    assert "Warning" not in output


@contextmanager
def board_on_sqlite(path: Path, *arguments: str) -> Iterator[Board]:
    """Run the demo with a new file."""

    def select(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(statement).fetchall()

    with running_board(f"sqlite:///{path}", select, *arguments) as board:
        yield board


@contextmanager
def board_on_mariadb(server: MariaDB, *arguments: str) -> Iterator[Board]:
    """Run the demo with a new database of this server."""
    name = server.new_database()
    with running_board(
        server.url(name), lambda statement: server.run(statement, database=name), *arguments
    ) as board:
        yield board


class Reader(Visitor):
    """A visitor that reads and writes without a browser."""

    def __init__(self, board: Board) -> None:
        super().__init__(board.program)
        self.token = ""
        self.enter()

    def enter(self) -> str:
        """Load the first page, which contains the XSRF token for the forms."""
        page = self.get().text
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert found is not None
        self.token = found[1]
        return page

    def write(self, path: str = "/", **fields: str) -> Answer:
        """Send the form."""
        return self.post(path, **{"name": "Ann", "message": "hello", "_xsrf": self.token, **fields})

    def delete(self, number: int) -> Answer:
        """Press the delete button of a message."""
        return self.post(f"/messages/{number}/delete", _xsrf=self.token)

    def texts(self, path: str = "/") -> list[str]:
        """Return the texts of the messages on a page."""
        return texts(self.get(path).text)


def texts(page: str) -> list[str]:
    """Return the texts of the messages on a page, unescaped."""
    return [
        html.unescape(each) for each in re.findall(r'<p class="text" dir="auto">(.*?)</p>', page, re.DOTALL)
    ]


def link(page: str, text: str) -> str:
    """Return the target of a link."""
    found = re.search(rf'href="([^"]+)">{re.escape(text)}<', page)
    assert found is not None, text
    return html.unescape(found[1])


def error_of(page: str, field: str) -> str:
    """Return the error message of a field."""
    found = re.search(rf'id="{field}-error">(.*?)</p>', page)
    return html.unescape(found[1]) if found else ""
