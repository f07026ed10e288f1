"""A request's body as JSON: ``RequestHandler.get_json_body``.

What is read is I-JSON (RFC 7493), the part of JSON (RFC 8259) that every reader understands alike: UTF-8
without a byte order mark, names unique in each object, no lone surrogates, no NaN or Infinity, and no number
beyond what a float holds. Python's ``json`` alone would let all of these through, to fail later and
elsewhere, or to mean one thing to a proxy that looks for attacks and another to the program.

Cost is linear in the body, whose size the server limits (``max_body_size``). How deep arrays and objects may
stand in each other is found out from the brackets before anything is built, by a few passes in C; the digits
of an integer are limited by the interpreter (``sys.set_int_max_str_digits``) or, where that is off, here.
"""

from __future__ import annotations

import json
import math
import re
import sys
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tornado._wire.parameters import parse_parameters
from tornado.web._arguments import _ARG_DEFAULT
from tornado.web._errors import InvalidBodyError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: Arrays and objects within each other; data of programs rarely has ten.
DEFAULT_MAX_DEPTH = 100
#: Digits of a number: CPython's own default for integers.
MAX_DIGITS = 4300

_BOM = b"\xef\xbb\xbf"
# Everything that is no bracket: strings (an unterminated one up to the end, so that no quote is tried twice)
# and runs of other bytes.
_NO_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[^"\[\]{}]++', re.DOTALL)
# Opening brackets become 1, closing ones -1.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read(handler: RequestHandler, default: Any, max_depth: int) -> Any:
    """The value in the body of a handler's request; made once.

    :raises InvalidBodyError: if there is none and no default, or if it is no JSON.
    """
    if not handler._body_is_collected():
        raise RuntimeError(
            f"{type(handler).__name__} streams its request body: get_json_body() needs it whole, so collect "
            "what data_received() is given, or do without stream_request_body"
        )
    body = handler.request.body
    if not body:
        if default is _ARG_DEFAULT:
            raise InvalidBodyError("the body is empty, JSON is wanted")
        return default
    known = handler.__dict__.get("_json_body")
    if known is not None and known[0] is body and known[1] == max_depth:
        return known[2]
    _check_type(handler.request.headers)
    value = parse(body, max_depth)
    handler.__dict__["_json_body"] = (body, max_depth, value)
    return value


def _check_type(headers: Any) -> None:
    """See that the body is said to be JSON in UTF-8 (RFC 8259 sections 8.1 and 11, RFC 6839 section 3.1).

    That also keeps out what another site's form can make a browser send.
    """
    field = headers.get("Content-Type", "")
    kind, parameters = parse_parameters(field)
    kind = kind.lower()
    if kind != "application/json" and not (kind.endswith("+json") and "/" in kind):
        raise InvalidBodyError("Content-Type is %r, application/json is wanted", field[:100], status_code=415)
    charset = parameters.get("charset") or "utf-8"
    if charset.lower() not in ("utf-8", "utf8"):
        raise InvalidBodyError("charset is %r, JSON is UTF-8", charset[:100], status_code=415)
    coding = headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise InvalidBodyError(
            "Content-Encoding is %r, which only a server with decompress_request=True takes off",
            coding[:100],
            status_code=415,
        )


def parse(body: bytes, max_depth: int = DEFAULT_MAX_DEPTH) -> Any:
    """The value that a JSON text stands for.

    :param max_depth: arrays and objects that may stand in each other.
    :raises InvalidBodyError: (400) if it is malformed; the message tells where.
    """
    if body.startswith(_BOM):
        raise InvalidBodyError("the JSON begins with a byte order mark (RFC 8259 section 8.1)")
    _check_depth(body, max_depth)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError("the JSON is not UTF-8 at byte %d", error.start) from error
    try:
        value = _decoder().decode(text)
    except json.JSONDecodeError as error:
        where = (error.msg, error.lineno, error.colno)
        raise InvalidBodyError("no JSON: %s (line %d column %d)", *where) from error
    except ValueError as error:
        raise InvalidBodyError("JSON that is refused: %s", error) from error
    except RecursionError as error:
        raise InvalidBodyError("JSON that is nested too deeply for Python") from error
    if _SURROGATE.search(body):
        _check_surrogates(value)
    return value


def _check_depth(body: bytes, most: int) -> None:
    if body.count(b"[") + body.count(b"{") <= most:
        return
    steps = _NO_BRACKETS.sub(b"", body).translate(_STEPS)
    depth = max(accumulate(memoryview(steps).cast("b")), default=0)
    if depth > most:
        raise InvalidBodyError("the JSON is nested %d deep, max_depth is %d", depth, most)


def _check_surrogates(value: Any) -> None:
    """Refuse half a character, which could not be written again."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InvalidBodyError("the JSON has half a surrogate pair, \\u%04x", ord(half)) from error


def _decoder() -> json.JSONDecoder:
    limit: int = sys.get_int_max_str_digits()
    return _DECODER if 0 < limit <= MAX_DIGITS else _COUNTING_DECODER


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:40]!r} occurs twice in one object")
            seen.add(name)
    return made


def _finite(text: str) -> float:
    value = float(_counted(text))
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _counted(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return text


def _counted_int(text: str) -> int:
    return int(_counted(text))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
_COUNTING_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_int=_counted_int, parse_constant=_refuse
)
