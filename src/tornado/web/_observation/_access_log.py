"""`AccessLog`: one line for each finished request, in the common, combined or JSON format.

The common and combined formats are those of Apache httpd, which log analysers read. The values of header
fields and the request target are escaped in all formats, so that a client cannot forge a line.

Texts that recur are cached with their quotes, because a line is formatted for each request: the route, the
method, and the fields of a header section, which a client usually repeats in each of its requests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, TypeVar

from tornado.routing import Rule, pattern_of_route
from tornado.web._observation._followers import RequestFollower
from tornado.web._observation._log_writer import LogWriter

__all__ = ["FORMATS", "AccessLog"]

_K = TypeVar("_K")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
#: The maximum number of entries of each cache, and the maximum size of a header section in one.
_MAX_ENTRIES = 1000
_MAX_SECTION = 4096
_MILLISECONDS = [f'.{number:03d}Z","remote_ip":"' for number in range(1001)]
_fields = re.compile(r"\n(?:([Uu]ser-[Aa]gent)|[Rr]eferer):[ \t]*([^\r\n]*)").finditer


class AccessLog(RequestFollower):
    """Writes a line for each request.

    :param format: a key of `FORMATS`.
    :param writer: writes the lines.
    :param has_ids: whether lines in the JSON format contain the request identifier.
    """

    def __init__(self, format: str, writer: LogWriter, has_ids: bool = False) -> None:
        self.writer = writer
        self._has_ids = has_ids
        self._second = -1
        self._time = ""
        self._routes: dict[Rule | None, str] = {}
        self._methods: dict[str, str] = {}
        self._sections: dict[str, tuple[str, str]] = {}
        self._line: Callable[..., str] = getattr(self, FORMATS[format])
        self._is_json = format == "json"

    def request_finished(self, handler: Any, status: int, now: float, duration: float, size: int) -> None:
        """Write the line of a request."""
        self.writer.write(self._line(handler.request, status, now, duration, size))

    def _common(self, request: Any, status: int, now: float, duration: float, size: int) -> str:
        return self._common_fields(request, status, now, size) + "\n"

    def _combined(self, request: Any, status: int, now: float, duration: float, size: int) -> str:
        agent, referer = self._agent_and_referer(request)
        return f"{self._common_fields(request, status, now, size)} {referer} {agent}\n"

    def _common_fields(self, request: Any, status: int, now: float, size: int) -> str:
        second = int(now)
        if second != self._second:
            utc = time.gmtime(second)
            month = _MONTHS[utc.tm_mon - 1]
            self._time = time.strftime(f"%d/{month}/%Y:%H:%M:%S +0000", utc)
            self._second = second
        line = _quoted(f"{request.method} {request.uri} {request.version}")
        return f"{request.remote_ip or '-'} - - [{self._time}] {line} {status} {size or '-'}"

    def _json(self, request: Any, status: int, now: float, duration: float, size: int) -> str:
        second = int(now)
        if second != self._second:
            self._time = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        try:
            start = self._methods[request.method]
            route = self._routes[request.matched_rule]
        except KeyError:
            start, route = self._texts(request)
        agent, referer = self._agent_and_referer(request)
        end = f',"request_id":{_quoted(request.id)}}}\n' if self._has_ids else "}\n"
        return (
            f'{{"time":"{self._time}{_MILLISECONDS[int((now - second) * 1000)]}{request.remote_ip}",'
            f'{start}{_quoted(request.uri)},"route":{route},"version":"{request.version}",'
            f'"status":{status},"size":{size},"duration":{duration:.6f}{agent}{referer}{end}'
        )

    def _texts(self, request: Any) -> tuple[str, str]:
        """Return the texts that contain the method and the route of a request in JSON, and cache them."""
        start = f'"method":{_quoted(request.method)},"target":'
        pattern = pattern_of_route(request.matched_rule)
        route = "null" if pattern is None else _quoted(pattern)
        _cache(self._methods, request.method, start)
        _cache(self._routes, request.matched_rule, route)
        return start, route

    def _agent_and_referer(self, request: Any) -> tuple[str, str]:
        """Return the values of User-Agent and Referer in the form that the line needs."""
        section: Any = getattr(getattr(request.connection, "head", None), "headers_block", None)
        if type(section) is not str:  # not from a server of this package, or the head has been released
            headers = request.headers
            return self._field_texts(headers.get("User-Agent"), headers.get("Referer"))
        try:
            return self._sections[section]
        except KeyError:
            found: dict[bool, str] = {}
            for each in _fields("\n" + section):
                found.setdefault(each[1] is not None, each[2].rstrip(" \t"))
            texts = self._field_texts(found.get(True), found.get(False))
            if len(section) <= _MAX_SECTION:
                _cache(self._sections, section, texts)
            return texts

    def _field_texts(self, agent: str | None, referer: str | None) -> tuple[str, str]:
        if self._is_json:
            return _member("user_agent", agent), _member("referer", referer)
        return _quoted(agent or "-"), _quoted(referer or "-")


def _cache(cache: dict[_K, Any], key: _K, value: Any) -> None:
    if len(cache) >= _MAX_ENTRIES:
        cache.clear()
    cache[key] = value


def _member(name: str, value: str | None) -> str:
    return "" if value is None else f',"{name}":{_quoted(value)}'


#: The formats of the setting ``access_log``, and the methods that format a line.
FORMATS = {"common": "_common", "combined": "_combined", "json": "_json"}
