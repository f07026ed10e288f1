"""Rendering of the debug page as HTML, from the data that `_traceback` and `_request_tables` collect.

The templates escape all text. The page loads no resources and runs one script, which its
Content-Security-Policy permits by a nonce.
"""

from __future__ import annotations

import builtins
import functools
import importlib.resources
import itertools
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tornado.escape import xhtml_escape
from tornado.template import DictLoader
from tornado.web._debug._request_tables import RequestTables
from tornado.web._debug._source import SourceLine
from tornado.web._debug._traceback import Frame, OmittedFrames, RaisedException

_RELATIONS = {
    "cause": "The exception above was directly caused by this one:",
    "context": "The exception above was raised while this one was being handled:",
}
_FOLDED = ("framework", "library")
_STRING = r"'''.*?(?:'''|$)|\"\"\".*?(?:\"\"\"|$)|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_PYTHON = re.compile(
    rf"(?P<c>\#.*)|(?P<s>\b[rRbBfFuU]{{0,2}}(?:{_STRING})|(?:{_STRING}))"
    r"|(?P<n>\b\d[\w.]*)|(?P<word>[^\W\d]\w*)"
)
_TEMPLATE = re.compile(r"(?P<c>\{#.*?(?:#\}|$))|(?P<k>\{%.*?(?:%\}|$))|(?P<s>\{\{.*?(?:\}\}|$))")
_CLASSES = {name: "n" for name in dir(builtins) if not name.startswith("_")}
_CLASSES.update(dict.fromkeys([*keyword.kwlist, "match", "case"], "k"))


@dataclass(frozen=True, slots=True)
class Page:
    """The data of a debug page.

    :param status: the status code and reason phrase of the response.
    :param title: the exception, or the status for an `HTTPError`.
    :param method: the request method.
    :param raised: the exception and its frames.
    :param tables: the tables about the request, its handler and the application.
    :param plain: the traceback as text.
    """

    status: str
    title: str
    method: str
    raised: RaisedException
    tables: RequestTables
    plain: str
    is_http_error: bool


def policy(nonce: str) -> str:
    """Return the page's Content-Security-Policy (CSP level 3), which permits only its style and script."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def render(page: Page, nonce: str, *, details: bool = True) -> str:
    """Return the page as HTML.

    :param nonce: the nonce of the style and the script.
    :param details: whether to include variables and the source of folded frames; without them the page is
        small.
    """
    view = _View(page.raised, details)
    return _templates().load("page.html").generate(page=page, nonce=nonce, view=view).decode()


@functools.cache
def _asset(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text("utf-8")


@functools.cache
def _templates() -> DictLoader:
    names = ("page", "exception", "frames", "message", "table")
    return DictLoader({f"{name}.html": _asset(f"{name}.html") for name in names})


class _View:
    """The functions that the templates call. A function that returns HTML escapes the text in it."""

    def __init__(self, raised: RaisedException, details: bool) -> None:
        self.first = raised
        self.details = details
        self.last = _last_of_program(raised)
        self.asset = _asset
        self.relations = _RELATIONS

    def first_line(self, raised: RaisedException) -> str:
        line = raised.message.split("\n", 1)[0]
        return (": " if line else "") + (line if len(line) <= 160 else f"{line[:160]}\u2026")

    def chain(self, raised: RaisedException) -> Iterator[RaisedException]:
        """Yield the causes and contexts of an exception, the nearest one first."""
        while raised.earlier is not None:
            raised = raised.earlier
            yield raised

    def exception(self, raised: RaisedException) -> str:
        return _templates().load("exception.html").generate(raised=raised, view=self).decode()

    def groups(self, raised: RaisedException) -> list[tuple[bool, list[tuple[Frame | OmittedFrames, bool]]]]:
        """Return consecutive frames: whether they are folded, and each frame with whether it is open."""
        groups = []
        places: set[tuple[str, int]] = set()  # in a recursion, only the first and last frames are unfolded
        for is_folded, frames in itertools.groupby(raised.frames, lambda each: each.kind in _FOLDED):
            group = []
            for frame in frames:
                place = (frame.path, frame.line)
                group.append((frame, not is_folded and (place not in places or frame is self.last)))
                places.add(place)
            groups.append((is_folded, group))
        return groups

    def packages(self, frames: list[tuple[Frame, bool]]) -> str:
        names = [re.split(r"[\\/]", frame.file.lstrip("/\\"))[0].removesuffix(".py") for frame, _ in frames]
        return ", ".join(list(dict.fromkeys(names))[:6])

    def count(self, number: int, noun: str) -> str:
        return f"{number} {noun}{'' if number == 1 else 's'}"

    def source(self, frame: Frame) -> str:
        return "".join(
            f'<span class="l{" hit" if line.hit else ""}" data-n="{line.number}">'
            f"{_line(line, _TEMPLATE if frame.kind == 'template' else _PYTHON)}\n</span>"
            for line in frame.lines
        )


def _last_of_program(raised: RaisedException) -> Frame | None:
    """Return the frame most likely at fault: the last frame of the program or of a template.

    An exception raised in a task of a library may have no such frame. In that case, the exceptions chained to
    it and the members of a group are searched.
    """
    for frame in reversed(raised.frames):
        if isinstance(frame, Frame) and frame.kind in ("program", "template"):
            return frame
    others = (_last_of_program(each) for each in (raised.earlier, *raised.members) if each is not None)
    return next(filter(None, others), None)


def _line(line: SourceLine, tokens: re.Pattern[str]) -> str:
    """Return a line with syntax highlighting and with the failing part marked."""
    text = line.text
    start, end = line.mark or (0, 0)
    marked = f"<mark>{_highlighted(text, tokens, start, end)}</mark>" if line.mark else ""
    return _highlighted(text, tokens, 0, start) + marked + _highlighted(text, tokens, end, len(text))


def _highlighted(text: str, tokens: re.Pattern[str], start: int, end: int) -> str:
    """Return a part of a line with syntax highlighting. The whole line is tokenized."""
    parts: list[str] = []
    position = start
    for found in tokens.finditer(text):
        first, last = max(found.start(), start), min(found.end(), end)
        kind = _CLASSES.get(found[0]) if found.lastgroup == "word" else found.lastgroup
        if first < last and kind is not None:
            parts.append(xhtml_escape(text[position:first]))
            parts.append(f'<span class="{kind}">{xhtml_escape(text[first:last])}</span>')
            position = last
    return "".join(parts) + xhtml_escape(text[position:end])
