"""A request's body as JSON: ``RequestHandler.get_json_body``.

What is read is I-JSON (RFC 7493), the part of JSON (RFC 8259) that every reader understands alike: UTF-8
without a byte order mark, names unique in each object, no lone surrogates, no NaN or Infinity, and no number
beyond what a float holds. Python's ``json`` alone would let all of these through, to fail later and
elsewhere, or to mean one thing to a proxy that looks for attacks and another to the program.

Cost is linear in the body, and close to that of ``json.loads``, which is a scanner in C: `parse` calls no
Python function for each name, and for each number only where there are few. Instead it compares counts:

- *Unique names.* The objects that were made have as many members as the text has names, or a name was
  repeated. The number of colons is an upper bound of the names; where strings hold colons, `_outline` gives
  the exact number.
- *Depth.* The walk that counts the members ends with the last array or object and knows how deep it is.
- *Numbers beyond a float* have an exponent of three digits or more than 208 digits in a row.

Where a count does not rule out a fault, the body is read again by a decoder that checks each object and
number and names the fault. The digits of an integer are limited by the interpreter
(``sys.set_int_max_str_digits``) or, where that is off, here.
"""

from __future__ import annotations

import gc
import json
import marshal
import math
import re
import sys
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

from tornado._wire.errors import HTTPInputError
from tornado._wire.parameters import parse_parameters
from tornado.web._arguments import _ARG_DEFAULT
from tornado.web._errors import InvalidBodyError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: Arrays and objects within each other; data of programs rarely has ten.
DEFAULT_MAX_DEPTH = 100
#: Digits of a number: CPython's own default for integers.
MAX_DIGITS = 4300

_MAX_CONTENT_TYPE_PARAMETERS = 64
_BOM = b"\xef\xbb\xbf"
# What `_outline` keeps; both kinds of brackets become one.
_OUTLINE = bytes.maketrans(b"{}", b"[]")
_NOT_OUTLINE = bytes(byte for byte in range(256) if byte not in b'[]{}":')
# Opening brackets become 1, closing ones -1.
_STEPS = bytes.maketrans(b"[]", b"\x01\xff")
# For `_may_overflow`: all digits become "0".
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_MANY_DIGITS = b"0" * 209  # with an exponent of two digits, fewer cannot exceed 1.8e308
_INFINITE = frozenset([math.inf, -math.inf])
#: From this size on a sample decides what the text is like.
_LARGE = 4096
_SAMPLED = 16
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read(handler: RequestHandler, default: Any, max_depth: int, max_size: int | None) -> Any:
    """The value in the body of a handler's request; made once.

    :param max_size: the most bytes that are decoded; None: the server's ``max_json_size``.
    :raises InvalidBodyError: if there is none and no default, if it is no JSON, or if it is too large.
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
    _check_size(handler.request.connection, len(body), max_size)
    value = parse(body, max_depth)
    handler.__dict__["_json_body"] = (body, max_depth, value)
    return value


def _check_type(headers: Any) -> None:
    """See that the body is said to be JSON in UTF-8 (RFC 8259 sections 8.1 and 11, RFC 6839 section 3.1).

    That also keeps out what another site's form can make a browser send.
    """
    field = headers.get("Content-Type", "")
    try:
        kind, parameters = parse_parameters(field, max_count=_MAX_CONTENT_TYPE_PARAMETERS)
    except HTTPInputError as error:
        raise InvalidBodyError("Content-Type is malformed: %s", error, status_code=415) from error
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


def _check_size(connection: object, size: int, max_size: int | None) -> None:
    name = "max_size"
    if max_size is None:
        name, max_size = "max_json_size", getattr(connection, "max_json_size", None)
    if isinstance(max_size, int) and size > max_size:
        raise InvalidBodyError(
            "%d bytes of JSON are more than %s (%d)", size, name, max_size, status_code=413
        )


def parse(body: bytes, max_depth: int = DEFAULT_MAX_DEPTH) -> Any:
    """The value that a JSON text stands for.

    :param max_depth: arrays and objects that may stand in each other.
    :raises InvalidBodyError: (400) if it is malformed; the message tells where.
    """
    if body.startswith(_BOM):
        raise InvalidBodyError("the JSON begins with a byte order mark (RFC 8259 section 8.1)")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError("the JSON is not UTF-8 at byte %d", error.start) from error
    # Collections while containers are made would visit each of them several times, and free nothing.
    collects = len(body) >= _LARGE and gc.isenabled()
    if collects:
        gc.disable()
    try:
        value = _decode(body, text, max_depth)
    except json.JSONDecodeError as error:
        where = (error.msg, error.lineno, error.colno)
        raise InvalidBodyError("no JSON: %s (line %d column %d)", *where) from error
    except ValueError as error:
        raise InvalidBodyError("JSON that is refused: %s", error) from error
    except RecursionError as error:
        _check_depth(body, max_depth)
        raise InvalidBodyError("JSON that is nested too deeply for Python") from error
    finally:
        if collects:
            gc.enable()
    if b"\\" in body and _SURROGATE.search(body):
        _check_surrogates(value)
    return value


def _decode(body: bytes, text: str, max_depth: int) -> Any:
    """Return the value of `text`, which is `body` decoded.

    :raises ValueError: if it is malformed, an object has a name twice, or a number is too large.
    :raises InvalidBodyError: if it is nested too deeply.
    """
    if not 0 < sys.get_int_max_str_digits() <= MAX_DIGITS:
        _check_depth(body, max_depth)
        return _COUNTING_DECODER.decode(text)
    sample = body if len(body) < _LARGE else body[::_SAMPLED]
    # Calling a function for each fraction costs little where there are few.
    if sample.count(b".") * 40 < len(sample) or _may_overflow(body):
        value = _FINITE_DECODER.decode(text)
    else:
        value = _DECODER.decode(text)
    containers = _count(body, sample, b"[") + _count(body, sample, b"{")
    if containers:
        members, depth = _walk(value, containers)
        if depth > max_depth:
            raise InvalidBodyError("the JSON is nested %d deep, max_depth is %d", depth, max_depth)
        if members != _count(body, sample, b":") and members != _outline(body).count(b":"):
            return _UNIQUE_DECODER.decode(text)  # raises an error with the name
    return value


def _count(body: bytes, sample: bytes, byte: bytes) -> int:
    """Return how often `byte` occurs.

    ``count`` compares byte by byte; ``replace`` uses memchr(), which is faster where there are few.
    """
    if sample.count(byte) * 24 > len(sample):
        return body.count(byte)
    return len(body) - len(body.replace(byte, b""))


def _may_overflow(body: bytes) -> bool:
    """Whether a number of the text might exceed a float, or have more than `MAX_DIGITS` digits."""
    zeros = body.translate(_DIGITS, b"+")
    return b"e000" in zeros or _MANY_DIGITS in zeros


def _walk(value: Any, containers: int) -> tuple[int, int]:
    """Return how many members all objects in `value` have together, and how deep it is nested.

    :param containers: how many objects and arrays there are at most; when as many were found, the walk ends.
    """
    members = depth = 0
    level = [value]
    while True:
        kinds = set(map(type, level))
        objects = _of_type(dict, level, kinds)
        arrays = _of_type(list, level, kinds)
        if not objects and not arrays:
            return members, depth
        depth += 1
        members += sum(map(len, objects))
        containers -= len(objects) + len(arrays)
        if containers == 0:
            return members, depth
        # For arrays it gives their items, three times as fast as iterating over each.
        level = gc.get_referents(*arrays)
        level += chain.from_iterable(map(dict.values, objects))


def _of_type(kind: type, level: list[Any], kinds: set[type]) -> list[Any]:
    if kind not in kinds:
        return []
    return level if len(kinds) == 1 else [each for each in level if type(each) is kind]


def _outline(body: bytes) -> bytes:
    """Return the brackets and colons of a JSON text that are outside its strings; both kinds of brackets as
    ``[`` and ``]``.

    >>> _outline(b'{"a": ["b:", {}]}')
    b'[:[[]]]'
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # from here on each quote delimits a string
    kept = body.translate(_OUTLINE, _NOT_OUTLINE).replace(b'""', b"")
    # Removing two neighbouring quotes leaves the others opening and closing by turns.
    return b"".join(kept.split(b'"')[::2]) if b'"' in kept else kept


def _check_depth(body: bytes, limit: int) -> None:
    """Refuse a text that is nested too deeply, before it is decoded."""
    steps = _outline(body).translate(_STEPS, b":")
    depth = max(accumulate(memoryview(steps).cast("b")), default=0)
    if depth > limit:
        raise InvalidBodyError("the JSON is nested %d deep, max_depth is %d", depth, limit)


def _check_surrogates(value: Any) -> None:
    """Refuse half a character, which could not be written again."""
    # In the dump such a half begins with 0xED, as few whole characters do; dumping is faster than to encode.
    if b"\xed" not in marshal.dumps(value, 2):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InvalidBodyError("the JSON has half a surrogate pair, \\u%04x", ord(half)) from error


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
    value = float(text if len(text) < MAX_DIGITS else _counted(text))
    if value in _INFINITE:
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


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_FINITE_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
# These check each object too.
_UNIQUE_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
_COUNTING_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_int=_counted_int, parse_constant=_refuse
)
