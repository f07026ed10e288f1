"""`AccessLog`: one line for each finished request, in the common, combined or JSON format.

The common and combined formats are those of Apache httpd, which log analysers read. The values of header
fields and the request target are escaped in all formats, so that a client cannot forge a line.

Texts that recur are cached with their quotes, because a line is formatted for each request: the route, the
method, and the fields of a header section, which a client usually repeats in each of its requests.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from tornado.routing import pattern_of_route
from tornado.web._observation._log_writer import LogWriter
from tornado.web._observation._request_metrics import Series

__all__ = ["FORMATS", "AccessLog"]

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
#: The maximum number of entries of the cache, and the maximum size of a header section in one.
_MAX_ENTRIES = 1000
_MAX_SECTION = 4096
_NUMBERS = [str(number) for number in range(1000)]
_MILLISECONDS = [f'.{number:03d}Z","remote_ip":"' for number in range(1001)]
_fields = re.compile(r"\n(?:([Uu]ser-[Aa]gent)|[Rr]eferer):[ \t]*([^\r\n]*)").finditer


class AccessLog:
    """Writes a line for each request.

    :param format: a key of `FORMATS`.
    :param writer: writes the lines.
    :param has_ids: whether lines in the JSON format contain the request identifier.
    :param fields: further members of lines in the JSON format.
    """

    def __init__(
        self, format: str, writer: LogWriter, has_ids: bool = False, fields: Mapping[str, Any] | None = None
    ) -> None:
        self.writer: LogWriter = writer
        self._has_ids = has_ids
        #: A second and its text. It is one object, because the threads of several event loops replace it.
        self._time = -1, ""
        self._sections: dict[str, str] = {}
        self._line: Callable[..., str] = getattr(self, FORMATS[format])
        self._is_json = format == "json"
        #: The end of a line in the JSON format.
        self._end = "".join(f",{_quoted(name)}:{json.dumps(each)}" for name, each in (fields or {}).items())
        self._end += "}\n"

    def add(self, request: Any, series: Series, now: float, duration: float, size: int) -> None:
        """Write the line of a request.

        :param now: the present time (`time.time`).
        :param duration: the duration of the request in seconds.
        :param size: the size of the response body in bytes.
        """
        self.writer.write(self._line(request, series, now, duration, size))

    def _common(self, request: Any, series: Series, now: float, duration: float, size: int) -> str:
        return self._common_fields(request, series.status, now, size) + "\n"

    def _combined(self, request: Any, series: Series, now: float, duration: float, size: int) -> str:
        return f"{self._common_fields(request, series.status, now, size)} {self._fields_of(request)}\n"

    def _common_fields(self, request: Any, status: int, now: float, size: int) -> str:
        second, text = self._time
        if second != int(now):
            second = int(now)
            utc = time.gmtime(second)
            month = _MONTHS[utc.tm_mon - 1]
            text = time.strftime(f"%d/{month}/%Y:%H:%M:%S +0000", utc)
            self._time = second, text
        line = _quoted(f"{request.method} {request.uri} {request.version}")
        return f"{request.remote_ip or '-'} - - [{text}] {line} {status} {size or '-'}"

    def _json(self, request: Any, series: Series, now: float, duration: float, size: int) -> str:
        second, text = self._time
        fraction = now - second
        if not 0.0 <= fraction < 1.0:
            second = int(now)
            text = time.strftime('{"time":"%Y-%m-%dT%H:%M:%S', time.gmtime(second))
            self._time = second, text
            fraction = now - second
        start, route = series.log_texts or self._texts_of(request, series)
        try:
            fields = self._sections[request.connection.head.headers_block]
        except (KeyError, AttributeError, TypeError):
            fields = self._new_fields(request)
        if waited := request.wait_time():
            fields += f',"waited_us":{int(waited * 1e6)}'
        if self._has_ids:
            fields += f',"request_id":{_quoted(request.id)}'
        # A list look-up takes a fifth of the time in which a number is formatted.
        shown = _NUMBERS[size] if size < 1000 else size
        return (
            f"{text}{_MILLISECONDS[int(fraction * 1000)]}{request.remote_ip}{start}"
            f'{_quoted(request.uri)}{route}{shown},"duration_us":{int(duration * 1e6)},'
            f'"version":"{request.version}"{fields}{self._end}'
        )

    def _texts_of(self, request: Any, series: Series) -> tuple[str, str]:
        """Return the texts that contain the method, the route and the status of a request in JSON.

        They are stored in the series, unless it also counts requests with other methods or routes.
        """
        rule, method = request.matched_rule, request.method
        pattern = pattern_of_route(rule)
        route = "null" if pattern is None else _quoted(pattern)
        texts = (
            f'","method":{_quoted(method)},"target":',
            f',"route":{route},"status":{series.status},"size":',
        )
        if series.rule is rule and series.method == method:
            series.log_texts = texts
        return texts

    def _fields_of(self, request: Any) -> str:
        try:
            return self._sections[request.connection.head.headers_block]
        except (KeyError, AttributeError, TypeError):
            return self._new_fields(request)

    def _new_fields(self, request: Any) -> str:
        """Return the text of User-Agent and Referer, and cache it if the request has a header section."""
        section: Any = getattr(getattr(request.connection, "head", None), "headers_block", None)
        if type(section) is not str:  # not from a server of this package, or the head has been released
            headers = request.headers
            return self._field_text(headers.get("User-Agent"), headers.get("Referer"))
        found: dict[bool, str] = {}
        for each in _fields("\n" + section):
            found.setdefault(each[1] is not None, each[2].rstrip(" \t"))
        text = self._field_text(found.get(True), found.get(False))
        if len(section) <= _MAX_SECTION:
            if len(self._sections) >= _MAX_ENTRIES:
                self._sections.clear()
            self._sections[section] = text
        return text

    def _field_text(self, agent: str | None, referer: str | None) -> str:
        if self._is_json:
            return _member("user_agent", agent) + _member("referer", referer)
        return f"{_quoted(referer or '-')} {_quoted(agent or '-')}"


def _member(name: str, value: str | None) -> str:
    return "" if value is None else f',"{name}":{_quoted(value)}'


#: The formats of the setting ``access_log``, and the methods that format a line.
FORMATS = {"common": "_common", "combined": "_combined", "json": "_json"}
