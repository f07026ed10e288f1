"""The tables of a debug page about the request, its handler, the routes and the settings."""

from __future__ import annotations

import asyncio
import inspect
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tornado._version import version
from tornado.web._debug._value_repr import ValueFormatter
from tornado.web._dispatch._route_list import Route, matching_route, similar_routes, unmatched_routes
from tornado.web._errors import HTTPError
from tornado.web._execution._response import response_of
from tornado.web._redaction._literal_masking import MASK
from tornado.web._redaction._secret_names import is_secret_name

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

_MAX_ROWS = 100
_MAX_ROUTES = 200
_MAX_ADDRESS_LENGTH = 2000

Row = tuple[str, str]


@dataclass(slots=True)
class Table:
    """Rows of names and values under a title.

    :ivar more: the number of rows that were left out.
    """

    title: str
    rows: list[Row] = field(default_factory=list)
    more: int = 0


@dataclass(slots=True)
class RequestTables:
    """The content of a page other than the exception."""

    address: str
    request: list[Table]
    handler: Table
    settings: Table
    versions: Table
    #: All routes if none of them matched, otherwise None.
    routes: list[Route] | None
    hints: list[str]


class _Builder:
    def __init__(self, handler: HandlerInterface, values: ValueFormatter) -> None:
        self.handler = handler
        self.request: Any = handler.request
        self.values = values

    def table(self, title: str, pairs: Callable[[], Iterable[tuple[Any, Any]]], plain: bool = False) -> Table:
        """Return a table of the pairs returned by a function. An exception is shown as the last row.

        :param plain: whether values of type str are shown without quotes.
        """
        table = Table(title)
        try:
            for name, value in pairs():
                if len(table.rows) >= _MAX_ROWS:
                    table.more += 1
                    continue
                table.rows.append((self.text(name)[:200], self.value(name, value, plain)))
        except Exception as error:
            table.rows.append(("\u2026", self.text(f"not readable: {error}")[:300]))
        return table

    def value(self, name: Any, value: Any, plain: bool) -> str:
        if plain and isinstance(value, str):
            return MASK if value and is_secret_name(name) else self.text(value)[:1000]
        return self.values.show_named(name, value)

    def text(self, value: object) -> str:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return self.values.secrets.mask_source(str(value))

    # -- the request --

    def address(self) -> str:
        """Return the request target with the values of secret arguments masked."""
        return self.text(self.request.uri or "")[:_MAX_ADDRESS_LENGTH]

    def request_tables(self) -> list[Table]:
        tables = [
            self.table("Request", self.request_line, plain=True),
            self.table("Headers", lambda: self.request.headers.get_all(), plain=True),
            self.table("Query arguments", lambda: _arguments(self.request.query_arguments)),
            self.table("Body arguments", lambda: _arguments(self.request.body_arguments)),
            self.table("Files", self.files, plain=True),
            self.table("Cookies", lambda: ((name, MASK) for name in self.request.cookies), plain=True),
        ]
        return [table for table in tables if table.rows]

    def request_line(self) -> Iterator[Row]:
        request = self.request
        yield "Method", str(request.method)
        yield "Address", f"{request.protocol}://{request.host}{self.address()}"
        yield "Version", str(request.version)
        yield "From", str(request.remote_ip)
        body = getattr(request, "body", None)
        if body:
            yield "Body", f"{len(body):,} bytes"

    def files(self) -> Iterator[Row]:
        for name, files in self.request.files.items():
            for file in files:
                size = getattr(file, "size", None)  # an upload on disk is not read into memory
                length = len(file.body) if size is None else size
                yield name, f"{file.filename!r}, {file.content_type}, {length:,} bytes"

    # -- the handler --

    def handler_pairs(self) -> Iterator[Row]:
        handler, cls = self.handler, type(self.handler)
        yield "Class", f"{cls.__module__}.{cls.__qualname__}"
        try:
            path = inspect.getsourcefile(cls)
            yield "Defined in", f"{path}, line {inspect.getsourcelines(cls)[1]}"
        except (OSError, TypeError):
            pass
        route = matching_route(handler.application, self.request, cls)
        if route is not None:
            yield "Route", self.text(route.pattern)[:300] + (f" (named {route.name!r})" if route.name else "")
        if handler.path_args:
            yield "path_args", self.values.show(handler.path_args)
        if handler.path_kwargs:
            yield "path_kwargs", self.values.show(handler.path_kwargs)

    def unmatched_routes(self) -> list[Route] | None:
        """Return all routes if none of them matches the request, otherwise None."""
        found = unmatched_routes(self.handler.application, self.request, _MAX_ROUTES)
        return found and [
            Route(self.text(pattern)[:300], self.text(target)[:200], name, tried)
            for pattern, target, name, tried in found
        ]

    # -- the rest --

    def versions(self) -> Iterator[Row]:
        try:
            release = metadata.version("tornado")
        except metadata.PackageNotFoundError:
            release = "not installed as a package"
        yield "Waterspout", f"{release} (the API of Tornado {version})"
        yield "Python", f"{platform.python_version()}, {platform.python_implementation()}, {sys.executable}"
        try:
            loop = type(asyncio.get_running_loop())
            yield "Event loop", f"{loop.__module__}.{loop.__qualname__}"
        except RuntimeError:
            pass
        yield "System", platform.platform()

    def hints(self, error: BaseException, routes: list[Route] | None) -> list[str]:
        if not isinstance(error, HTTPError):
            return []
        if error.status_code == 404 and routes is not None:
            return [
                "No route of the application matches.",
                *similar_routes(str(self.request.path)[:_MAX_ADDRESS_LENGTH], routes),
            ]
        if error.status_code == 405:
            handler: Any = self.handler
            methods = response_of(handler).headers(handler).get("Allow") or "none"
            method = self.request.method
            return [f"{type(self.handler).__name__} has no {method.lower()}(); allowed methods: {methods}."]
        if error.status_code == 403 and "_xsrf" in str(error):
            return [
                "A form with method POST needs {% module xsrf_form_html() %}; see the setting xsrf_cookies."
            ]
        return []


def _syntax_errors() -> list[str]:
    """Return the syntax errors that prevent autoreload, if it is active, from restarting the process."""
    reloader: Any = sys.modules.get("tornado.autoreload")
    problems = () if reloader is None else reloader.problems()
    return [f"The last saved version is not running because of a syntax error:\n{text}" for text in problems]


def gather(handler: HandlerInterface, error: BaseException, values: ValueFormatter) -> RequestTables:
    """Collect the tables for a request that failed with an exception."""
    builder = _Builder(handler, values)
    routes: list[Route] | None = None
    hints: list[str] = []
    try:
        if isinstance(error, HTTPError) and error.status_code == 404:
            routes = builder.unmatched_routes()
        hints = builder.hints(error, routes)
    except Exception as failure:
        hints = [f"Cannot list the routes: {type(failure).__name__}"]
    return RequestTables(
        address=builder.address(),
        request=builder.request_tables(),
        handler=builder.table("Handler", builder.handler_pairs, plain=True),
        settings=builder.table(
            "Settings", lambda: sorted(handler.settings.items(), key=lambda each: str(each[0]))
        ),
        versions=builder.table("Versions", builder.versions, plain=True),
        routes=routes,
        hints=[values.secrets.mask(hint) for hint in [*hints, *_syntax_errors()]],
    )


def _arguments(arguments: Any) -> Iterator[tuple[str, Any]]:
    for name, values in arguments.items():
        texts = [value.decode("utf-8", "replace") for value in values]
        yield name, texts[0] if len(texts) == 1 else texts
