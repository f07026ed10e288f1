"""Rendering of the debug page as HTML, from the data that `_traceback` and `_request_tables` collect.

All text from the program or the request is escaped by `_escape`. The page loads no resources and runs one
script, which its Content-Security-Policy permits by a nonce.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tornado.escape import xhtml_escape
from tornado.web._debug._assets import ICON, SCRIPT, STYLE
from tornado.web._debug._request_tables import RequestTables, Route, Table
from tornado.web._debug._source import SourceLine
from tornado.web._debug._traceback import Frame, OmittedFrames, RaisedException, Variable

_RELATIONS = {
    "cause": "The exception above was directly caused by this one:",
    "context": "The exception above was raised while this one was being handled:",
}
_PYTHON = re.compile(
    r"(?P<c>\#.*)"
    r"|(?P<s>\b[rRbBfFuU]{0,2}(?:'''.*?(?:'''|$)|\"\"\".*?(?:\"\"\"|$)|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?:'''.*?(?:'''|$)|\"\"\".*?(?:\"\"\"|$)|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))"
    r"|(?P<n>\b\d[\w.]*)"
    r"|(?P<word>[^\W\d]\w*)"
)
_TEMPLATE = re.compile(r"(?P<c>\{#.*?(?:#\}|$))|(?P<k>\{%.*?(?:%\}|$))|(?P<s>\{\{.*?(?:\}\}|$))")
_KEYWORDS = frozenset(keyword.kwlist) | {"match", "case"}
_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))


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
    return "".join(_Renderer(page, nonce, details).document())


def _escape(text: object) -> str:
    return xhtml_escape(str(text))


class _Renderer:
    def __init__(self, page: Page, nonce: str, details: bool) -> None:
        self.page = page
        self.nonce = _escape(nonce)
        self.details = details
        self.number = 0
        self.last = _last_of_program(page.raised)

    def document(self) -> Iterator[str]:
        page = self.page
        yield (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{_escape(page.title)} \u00b7 {_escape(page.tables.address)}</title>"
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">'
            f'<link rel="icon" href="{ICON}"><style nonce="{self.nonce}">{STYLE}</style></head><body>'
        )
        yield from self.header()
        yield '<main class="wide">'
        if page.tables.routes is not None:
            yield from self.routes(page.tables.routes)
        yield from self.traceback()
        yield from self.request_sections()
        yield (
            '<details class="group"><summary id="text">Plain traceback</summary>'
            f'<pre class="plain" id="plain" tabindex="0">{_escape(page.plain)}</pre></details>'
        )
        yield (
            "<footer>This page is shown because the application\u2019s setting <code>serve_traceback</code> "
            "is on (<code>debug=True</code> turns it on). Turn it off if others can reach the server. "
            "Values that look like secrets are masked.</footer></main>"
        )
        yield f'<script nonce="{self.nonce}">{SCRIPT}</script></body></html>\n'

    # -- head of the page --

    def header(self) -> Iterator[str]:
        page, raised = self.page, self.page.raised
        yield (
            f'<header><div class="wide"><p class="status"><b>{_escape(page.status)}</b>'
            f"<code>{_escape(page.method)} {_escape(page.tables.address)}</code></p>"
        )
        if page.is_http_error:
            yield f"<h1>{_escape(page.title)}</h1>"
        else:
            yield f"<h1>{_name_of(raised)}</h1>"
        yield _message(raised)
        if page.tables.hints:
            hints = "".join(f"<li>{_escape(hint)}</li>" for hint in page.tables.hints)
            yield f'<ul class="hints">{hints}</ul>'
        if self.last is not None:
            place = f"{_escape(self.last.file)}, line {self.last.line}"
            yield f'<p class="at">at <a href="#last">{place}</a>{_function(self.last)}</p>'
        yield from self.chain_summary()
        yield '<nav aria-label="Parts of this page">'
        if page.tables.routes is not None:
            yield '<a href="#routes">Routes</a>'
        yield (
            '<a href="#traceback">Traceback</a><a href="#request">Request</a><a href="#handler">Handler</a>'
            '<a href="#settings">Settings</a><a href="#versions">Versions</a>'
            '<button id="copy" type="button" aria-live="polite" hidden>Copy traceback</button>'
            "</nav></div></header>"
        )

    def chain_summary(self) -> Iterator[str]:
        """Yield the list of the members of a group and of the chained exceptions, the nearest one first."""
        earlier, members = self.page.raised.earlier, self.page.raised.members
        number = 1
        if earlier is not None or members:
            yield '<ul class="led">'
            for position, member in enumerate(members, 1):
                line = _first_line(member.message)
                colon = ": " if line else ""
                yield f'<li><a href="#member{position}">{_escape(member.name)}</a>{colon}{_escape(line)}</li>'
            while earlier is not None:
                verb = "caused by" if earlier.relation == "cause" else "while handling"
                line = _first_line(earlier.message)
                colon = ": " if line else ""
                link = f'<a href="#earlier{number}">{_escape(earlier.name)}</a>'
                yield f"<li>{verb} {link}{colon}{_escape(line)}</li>"
                earlier, number = earlier.earlier, number + 1
            yield "</ul>"

    # -- exceptions --

    def traceback(self) -> Iterator[str]:
        yield '<section id="traceback"><h2>Traceback <small>(most recent call last)</small></h2>'
        raised = self.page.raised
        yield from self.frames(raised.frames)
        yield from self.members(raised)
        earlier, number = raised.earlier, 1
        while earlier is not None:
            yield f'<p class="relation">{_RELATIONS[earlier.relation]}</p>'
            yield f'<section id="earlier{number}">'
            yield from self.other(earlier)
            yield "</section>"
            earlier, number = earlier.earlier, number + 1
        yield "</section>"

    def other(self, raised: RaisedException) -> Iterator[str]:
        yield f'<div class="other"><h3>{_name_of(raised)}</h3>{_message(raised)}</div>'
        yield from self.frames(raised.frames)
        yield from self.members(raised)

    def members(self, raised: RaisedException) -> Iterator[str]:
        if not raised.members:
            return
        count = len(raised.members) + raised.more_members
        yield f'<p class="relation">The group contains {count} exception{"" if count == 1 else "s"}:</p>'
        for position, member in enumerate(raised.members, 1):
            name = f' id="member{position}"' if raised is self.page.raised else ""
            yield f'<div class="members"{name}>'
            yield from self.other(member)
            if member.earlier is not None:
                yield f'<p class="relation">{_RELATIONS[member.earlier.relation]}</p>'
                yield from self.other(member.earlier)
            yield "</div>"
        if raised.more_members:
            yield f'<p class="gap">{raised.more_members} more are not shown.</p>'

    # -- frames --

    def frames(self, frames: list[Frame | OmittedFrames]) -> Iterator[str]:
        folded: list[Frame] = []
        places: set[tuple[str, int]] = set()  # in a recursion, only the first and last frames are unfolded
        for frame in frames:
            if isinstance(frame, Frame) and frame.kind in ("framework", "library"):
                folded.append(frame)
                continue
            yield from self.fold(folded)
            folded = []
            if isinstance(frame, OmittedFrames):
                yield f'<p class="gap">\u2026 {frame.count:,} more frames \u2026</p>'
            else:
                place = (frame.path, frame.line)
                yield from self.frame(frame, is_open=place not in places or frame is self.last)
                places.add(place)
        yield from self.fold(folded)

    def fold(self, frames: list[Frame]) -> Iterator[str]:
        if not frames:
            return
        packages = list(dict.fromkeys(_package_of(frame) for frame in frames))
        count = f"{len(frames)} frame{'' if len(frames) == 1 else 's'}"
        yield f'<details class="folded"><summary>{count} of {_escape(", ".join(packages[:6]))}</summary>'
        for frame in frames:
            yield from self.frame(frame, is_open=False)
        yield "</details>"

    def frame(self, frame: Frame, *, is_open: bool) -> Iterator[str]:
        marks = 'class="frame last" id="last"' if frame is self.last else 'class="frame"'
        state = " open" if is_open else ""
        tag = ' <span class="tag">template</span>' if frame.kind == "template" else ""
        function = f"<b>{_escape(frame.function)}</b> " if frame.function and frame.kind != "template" else ""
        yield (
            f'<details {marks}{state}><summary title="{_escape(frame.path)}">{function}'
            f'<span class="where">{_escape(frame.file)}:{frame.line}</span>{tag}</summary>'
        )
        if frame.lines and (self.details or is_open):
            yield _source(frame.lines, frame.kind == "template")
        if frame.variables and self.details:
            yield from self.variables(frame)
        yield "</details>"

    def variables(self, frame: Frame) -> Iterator[str]:
        count = len(frame.variables) + frame.more_variables
        state = " open" if frame is self.last else ""
        yield f'<details class="names"{state}><summary>{count} variable{"" if count == 1 else "s"}</summary>'
        yield _rows((each.name, each.value) for each in frame.variables)
        if frame.more_variables:
            yield f'<p class="gap">{frame.more_variables} more are not shown.</p>'
        yield "</details>"

    # -- the rest --

    def routes(self, routes: list[Route]) -> Iterator[str]:
        yield '<section id="routes"><h2>Routes tried, in this order</h2><div class="card">'
        if not routes:
            yield "<p>The application has no routes.</p>"
        else:
            yield "<table><thead><tr><th>Pattern</th><th>Handler</th></tr></thead><tbody>"
            for route in routes:
                name = f" (named {_escape(repr(route.name))})" if route.name else ""
                other = "" if route.tried else ' <span class="tag">not for this host</span>'
                pattern, target = _escape(route.pattern), _escape(route.target)
                yield f"<tr><td>{pattern}{other}</td><td>{target}{name}</td></tr>"
            yield "</tbody></table>"
        yield "</div></section>"

    def request_sections(self) -> Iterator[str]:
        tables = self.page.tables
        yield '<section id="request"><h2>Request</h2><div class="card">'
        for number, table in enumerate(tables.request):
            yield _table(table, with_title=number > 0)
        yield "</div></section>"
        for table in (tables.handler, tables.settings, tables.versions):
            yield f'<section id="{table.title.lower()}"><h2>{table.title}</h2>'
            yield f'<div class="card">{_table(table)}</div></section>'


def _last_of_program(raised: RaisedException) -> Frame | None:
    """Return the frame most likely at fault: the last frame of the program or of a template.

    An exception raised in a task of a library may have no such frame. In that case, the exceptions chained to
    it and the members of a group are searched.
    """
    for frame in reversed(raised.frames):
        if isinstance(frame, Frame) and frame.kind in ("program", "template"):
            return frame
    for other in (raised.earlier, *raised.members):
        if other is not None:
            found = _last_of_program(other)
            if found is not None:
                return found
    return None


def _name_of(raised: RaisedException) -> str:
    module = "" if raised.module in ("builtins", "__main__") else f"<small>{_escape(raised.module)}</small>"
    return f"{module}{_escape(raised.name)}"


def _message(raised: RaisedException) -> str:
    parts = []
    if raised.message:
        parts.append(f'<p class="message" tabindex="-1">{_escape(raised.message)}</p>')
    if raised.notes:
        notes = "".join(f"<li>{_escape(note)}</li>" for note in raised.notes)
        parts.append(f'<ul class="notes">{notes}</ul>')
    return "".join(parts)


def _first_line(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 160 else f"{line[:160]}\u2026"


def _function(frame: Frame) -> str:
    return f" in <code>{_escape(frame.function)}</code>" if frame.kind == "program" and frame.function else ""


def _package_of(frame: Frame) -> str:
    first = re.split(r"[\\/]", frame.file.lstrip("/\\"))[0]
    return first.removesuffix(".py") or frame.file


def _table(table: Table, *, with_title: bool = False) -> str:
    title = f"<h4>{_escape(table.title)}</h4>" if with_title else ""
    more = f'<p class="gap">{table.more:,} more are not shown.</p>' if table.more else ""
    return f"{title}{_rows(table.rows)}{more}"


def _rows(rows: Iterable[tuple[str, str] | Variable]) -> str:
    cells = []
    for row in rows:
        name, value = (row.name, row.value) if isinstance(row, Variable) else row
        cells.append(f'<tr><th scope="row">{_escape(name)}</th><td>{_escape(value)}</td></tr>')
    return f"<table><tbody>{''.join(cells)}</tbody></table>"


# -- source --


def _source(lines: list[SourceLine], is_template: bool) -> str:
    shown = "".join(
        f'<span class="l{" hit" if line.hit else ""}" data-n="{line.number}">'
        f"{_line(line, is_template)}\n</span>"
        for line in lines
    )
    return f'<pre class="source" tabindex="0"><code>{shown}</code></pre>'


def _line(line: SourceLine, is_template: bool) -> str:
    """Return a line with syntax highlighting and with the failing part marked."""
    text = line.text
    if line.mark is None:
        return _highlighted(text, is_template, 0, len(text))
    start, end = line.mark
    return (
        _highlighted(text, is_template, 0, start)
        + f"<mark>{_highlighted(text, is_template, start, end)}</mark>"
        + _highlighted(text, is_template, end, len(text))
    )


def _highlighted(text: str, is_template: bool, start: int, end: int) -> str:
    """Return a part of a line with syntax highlighting. The whole line is tokenized."""
    parts: list[str] = []
    position = start
    for found in (_TEMPLATE if is_template else _PYTHON).finditer(text):
        first, last = max(found.start(), start), min(found.end(), end)
        if first >= last:
            continue
        kind = found.lastgroup
        if kind == "word":
            kind = "k" if found[0] in _KEYWORDS else "n" if found[0] in _BUILTINS else None
        if kind is None:
            continue
        parts.append(_escape(text[position:first]))
        parts.append(f'<span class="{kind}">{_escape(text[first:last])}</span>')
        position = last
    parts.append(_escape(text[position:end]))
    return "".join(parts)
