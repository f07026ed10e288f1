"""Messages: their fields, validation and storage."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from typing import NamedTuple

from database import Database

Translate = Callable[[str], str]


class Field(NamedTuple):
    """One field of the form."""

    name: str
    label: str
    limit: int
    """The maximum length in code points, as the database counts. Many emoji consist of several code points.
    """
    required: bool = False
    autocomplete: str = "off"
    inputmode: str = "text"
    lines: int = 1


FIELDS = (
    Field("name", "Name", 80, required=True, autocomplete="name"),
    Field("email", "E-mail", 254, autocomplete="email", inputmode="email"),
    Field("address", "Address", 200, autocomplete="street-address"),
    Field("message", "Message", 4000, required=True, lines=6),
)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class Draft(NamedTuple):
    """The contents of the form."""

    name: str = ""
    email: str = ""
    address: str = ""
    message: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Draft:
        """Return the draft in a submitted form. Browsers send every line break as CR LF."""
        texts = {}
        for field in FIELDS:
            text = given.get(field.name, "").replace("\r\n", "\n").replace("\r", "\n").strip()
            texts[field.name] = text if field.lines > 1 else " ".join(text.split("\n"))
        return cls(**texts)

    def errors(self, translate: Translate) -> dict[str, str]:
        """Return the error messages by field name, in the order of the fields; empty if there is none."""
        found = {}
        for field in FIELDS:
            text = getattr(self, field.name)
            if len(text) > field.limit:
                problem = translate("At most %(limit)d characters fit here; these are %(count)d.")
                found[field.name] = problem % {"limit": field.limit, "count": len(text)}
            elif field.required and not is_visible(text):
                found[field.name] = translate("Please fill in this field.")
            elif field.name == "email" and text and not EMAIL.fullmatch(text):
                found[field.name] = translate("An e-mail address looks like ann@example.org.")
        return found


def is_visible(text: str) -> bool:
    """Whether any character of `text` is visible. Spaces and invisible characters do not count."""
    return any(unicodedata.category(each)[0] in "LNPSM" for each in text)


class Message(NamedTuple):
    """A message on the board."""

    id: int
    author: str
    name: str
    email: str
    address: str
    message: str
    written: int
    edited: int | None

    @property
    def draft(self) -> Draft:
        """The editable fields of the message."""
        return Draft(self.name, self.email, self.address, self.message)


COLUMNS = ", ".join(Message._fields)


class Page(NamedTuple):
    """A page of messages, the newest first."""

    messages: list[Message]
    newer: bool
    older: bool


class Board:
    """The messages in a database."""

    def __init__(self, database: Database, page_size: int) -> None:
        self.database = database
        self.page_size = page_size

    async def newest(self, before: int | None = None) -> Page:
        """Return a page of the newest messages; with `before`, of those that are older than this message
        number.
        """
        # A page is addressed by a message number instead of an offset, so that later pages do not cost more,
        # and new messages do not change which messages a page contains.
        found = await self._select("WHERE id < ? ORDER BY id DESC", before or 2**63 - 1)
        return Page(found[: self.page_size], before is not None, len(found) > self.page_size)

    async def just_after(self, after: int) -> Page:
        """Return the page of messages that directly follow message number `after`."""
        found = await self._select("WHERE id > ? ORDER BY id", after)
        return Page(found[self.page_size - 1 :: -1], len(found) > self.page_size, True)

    async def _select(self, which: str, start: int) -> list[Message]:
        """Return up to one message more than a page holds; the extra one shows that there is another page."""
        statement = f"SELECT {COLUMNS} FROM board_messages {which} LIMIT ?"
        rows = await self.database.fetch(statement, start, self.page_size + 1)
        return [Message(*row) for row in rows]

    async def get(self, number: int) -> Message | None:
        """Return a message, or None if it does not exist."""
        rows = await self.database.fetch(f"SELECT {COLUMNS} FROM board_messages WHERE id = ?", number)
        return Message(*rows[0]) if rows else None

    async def add(self, author: str, draft: Draft) -> int:
        """Add a message and return its number."""
        done = await self.database.execute(
            "INSERT INTO board_messages (author, name, email, address, message, written)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            author,
            *draft,
            int(time.time()),
        )
        return done.new_id

    async def change(self, number: int, author: str, draft: Draft) -> bool:
        """Replace the text of a message of this author. Return False if the author has no such message."""
        done = await self.database.execute(
            "UPDATE board_messages SET name = ?, email = ?, address = ?, message = ?, edited = ?"
            " WHERE id = ? AND author = ?",
            *draft,
            int(time.time()),
            number,
            author,
        )
        return done.rows > 0

    async def remove(self, number: int, author: str) -> bool:
        """Delete a message of this author. Return False if the author has no such message."""
        done = await self.database.execute(
            "DELETE FROM board_messages WHERE id = ? AND author = ?", number, author
        )
        return done.rows > 0
