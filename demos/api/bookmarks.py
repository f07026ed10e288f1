"""Bookmarks: validation and storage."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from storage import Row, Storage

MAX_URL, MAX_TITLE = 2000, 300
MAX_TAGS, TAG = 20, re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
#: The maximum number of bookmarks per user.
MAX_BOOKMARKS = 10_000

#: The columns by which a list can be sorted; the keys are the names in the API.
SORT_COLUMNS = {"created": "created", "updated": "updated", "title": "title COLLATE NOCASE", "url": "url"}


class DuplicateURL(Exception):
    """The user already has a bookmark with this URL."""


class TooManyBookmarks(Exception):
    """The user has the maximum number of bookmarks."""


class VersionMismatch(Exception):
    """The bookmark has changed since the client read it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a bookmark that the client sets."""

    url: str
    title: str
    tags: tuple[str, ...] = ()
    unread: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Bookmark:
    """A stored bookmark."""

    id: int
    draft: Draft
    created: int
    updated: int
    version: int

    @property
    def path(self) -> str:
        """The path of the resource."""
        return f"/v1/bookmarks/{self.id}"

    @property
    def etag(self) -> str:
        """The entity tag, which is different after each change of the bookmark."""
        return f'"{self.id}-{self.version}"'

    def to_json(self) -> dict[str, object]:
        """Return the bookmark's representation in the API."""
        return {
            "id": self.id,
            "href": self.path,
            "url": self.draft.url,
            "title": self.draft.title,
            "tags": list(self.draft.tags),
            "unread": self.draft.unread,
            "created": timestamp(self.created),
            "updated": timestamp(self.updated),
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """The filter and the order of a list of bookmarks.

    :ivar tag: the tag of the bookmarks to list; None for all.
    :ivar unread: True for unread bookmarks, False for read ones, None for all.
    :ivar text: a string that the title or the URL must contain; None for all.
    """

    page: int = 1
    per_page: int = 20
    tag: str | None = None
    unread: bool | None = None
    text: str | None = None
    sort_by: str = "created"
    descending: bool = True


def timestamp(seconds: int) -> str:
    """Format a time as in RFC 3339."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def validate(values: Mapping[str, Any], base: Draft | None = None) -> tuple[Draft | None, dict[str, str]]:
    """Validate an object from a client; return the draft, or None and the error of each invalid field.

    :param base: the values of the fields that the object omits, for a partial change.
    """
    fields = {} if base is None else dataclasses.asdict(base)
    errors = {name: "is not a field of a bookmark" for name in values if name not in CHECKS}
    for name, (check, required) in CHECKS.items():
        if name not in values:
            if required and base is None:
                errors[name] = "is missing"
            continue
        try:
            fields[name] = check(values[name])
        except ValueError as error:
            errors[name] = str(error)
    return (None if errors else Draft(**fields)), errors


def _check_url(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be a URL in ASCII, with percent-encoding")
    if len(value) > MAX_URL:
        raise ValueError(f"must have at most {MAX_URL} characters")
    parts = urlsplit(value)
    # Anything else, such as javascript:, would be run by a page that shows the bookmark as a link.
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return value


def _check_title(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a string that is not blank")
    if len(value) > MAX_TITLE:
        raise ValueError(f"must have at most {MAX_TITLE} characters")
    return value.strip()


def _check_tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_TAGS:
        raise ValueError(f"must be an array of at most {MAX_TAGS} tags")
    for tag in value:
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            raise ValueError("must consist of lower-case letters, digits, - and _, at most 40 in each tag")
    return tuple(dict.fromkeys(value))


def _check_unread(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


#: For each field, the function that checks it, and whether a whole bookmark must have it.
CHECKS: dict[str, tuple[Callable[[object], object], bool]] = {
    "url": (_check_url, True),
    "title": (_check_title, True),
    "tags": (_check_tags, False),
    "unread": (_check_unread, False),
}

COLUMNS = "id, url, title, tags, unread, created, updated, version"


class Bookmarks:
    """The bookmarks in the database. Each belongs to one user and is invisible to all others."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    async def list(self, owner: int, query: Query) -> tuple[list[Bookmark], int]:
        """Return one page of a user's bookmarks, and the number of bookmarks on all pages."""
        condition, values = "owner = ?", [owner]
        parameters: list[object] = list(values)
        if query.tag is not None:
            condition += " AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)"
            parameters.append(query.tag)
        if query.unread is not None:
            condition += " AND unread = ?"
            parameters.append(query.unread)
        if query.text is not None:
            condition += " AND (instr(lower(title), lower(?)) OR instr(lower(url), lower(?)))"
            parameters += [query.text, query.text]
        order = "DESC" if query.descending else "ASC"
        # The column is one of SORT_COLUMNS; the id makes the order of equal rows the same on each page.
        order_by = f"{SORT_COLUMNS[query.sort_by]} {order}, id {order}"
        total = await self._storage.fetch_one(
            f"SELECT count(*) FROM bookmarks WHERE {condition}", *parameters
        )
        rows = await self._storage.fetch(
            f"SELECT {COLUMNS} FROM bookmarks WHERE {condition} ORDER BY {order_by} LIMIT ? OFFSET ?",
            *parameters,
            query.per_page,
            (query.page - 1) * query.per_page,
        )
        return [_bookmark(row) for row in rows], total[0] if total else 0

    async def get(self, owner: int, number: int) -> Bookmark | None:
        """Return a user's bookmark, or None."""
        row = await self._storage.fetch_one(
            f"SELECT {COLUMNS} FROM bookmarks WHERE id = ? AND owner = ?", number, owner
        )
        return _bookmark(row) if row else None

    async def add(self, owner: int, draft: Draft) -> Bookmark:
        """Store a new bookmark.

        :raises DuplicateURL: if the user has a bookmark with this URL.
        :raises TooManyBookmarks: if the user has `MAX_BOOKMARKS` bookmarks.
        """
        now = int(self._clock())
        try:
            rows = await self._storage.execute(
                "INSERT INTO bookmarks (owner, url, title, tags, unread, created, updated)"
                " SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM bookmarks WHERE owner = ?) < ?"
                f" RETURNING {COLUMNS}",
                *(owner, *_values(draft), now, now),
                *(owner, MAX_BOOKMARKS),
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateURL(draft.url) from error
        if not rows:
            raise TooManyBookmarks
        return _bookmark(rows[0])

    async def change(self, owner: int, bookmark: Bookmark, draft: Draft) -> Bookmark:
        """Update a bookmark that was read before.

        :raises VersionMismatch: if it was changed or deleted after it was read.
        :raises DuplicateURL: if another bookmark has the URL.
        """
        try:
            rows = await self._storage.execute(
                "UPDATE bookmarks SET url = ?, title = ?, tags = ?, unread = ?, updated = ?,"
                " version = version + 1 WHERE id = ? AND owner = ? AND version = ?"
                f" RETURNING {COLUMNS}",
                *(*_values(draft), int(self._clock())),
                *(bookmark.id, owner, bookmark.version),
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateURL(draft.url) from error
        if not rows:
            raise VersionMismatch
        return _bookmark(rows[0])

    async def remove(self, owner: int, bookmark: Bookmark) -> None:
        """Delete a bookmark that was read before.

        :raises VersionMismatch: if it was changed or deleted after it was read.
        """
        if not await self._storage.execute(
            "DELETE FROM bookmarks WHERE id = ? AND owner = ? AND version = ? RETURNING id",
            *(bookmark.id, owner, bookmark.version),
        ):
            raise VersionMismatch


def _values(draft: Draft) -> tuple[object, ...]:
    return draft.url, draft.title, json.dumps(draft.tags), draft.unread


def _bookmark(row: Row) -> Bookmark:
    number, url, title, tags, unread, created, updated, version = row
    draft = Draft(url, title, tuple(json.loads(tags)), bool(unread))
    return Bookmark(number, draft, created, updated, version)
