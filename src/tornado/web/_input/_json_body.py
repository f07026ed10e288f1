"""JSON bodies of requests: ``RequestHandler.get_json_body``.

The accepted language is I-JSON (RFC 7493), the interoperable subset of JSON (RFC 8259): UTF-8 without a byte
order mark, unique names in each object, no lone surrogates, no NaN or Infinity, and no number outside the
range of a float. Python's ``json`` also accepts bodies that violate these rules. They would cause errors
later, or be interpreted differently by a filtering proxy and the program.

The cost is linear in the size of the body, and close to that of ``json.loads``, which is implemented in C.
`parse` calls no Python function for each name, and calls one for each number only if there are few numbers.
Instead it compares counts:

- *Unique names.* If the decoded objects have fewer members than the text has names, a name was repeated. The
  number of colons is an upper bound for the number of names; if strings contain colons, `_outline` yields the
  exact number.
- *Depth.* The nesting depth is determined together with the number of members, level by level.
- *Numbers outside the range of a float* have an exponent of at least three digits, or more than 208
  consecutive digits.

If a count does not exclude an error, the body is parsed again by a decoder that checks each object and number
and reports the error. The number of digits of an integer is limited by the interpreter
(``sys.set_int_max_str_digits``) or, if that limit is disabled, by this module.
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
from tornado._wire.field_parameters import parse_parameters
from tornado.web._errors import InvalidBodyError
from tornado.web._input._arguments import _ARG_DEFAULT

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

#: The default maximum nesting depth of arrays and objects. Real data rarely exceeds ten.
DEFAULT_MAX_DEPTH = 100
#: The maximum number of digits of a number; CPython's default for integers.
MAX_DIGITS = 4300

_MAX_CONTENT_TYPE_PARAMETERS = 64
_BOM = b"\xef\xbb\xbf"
# For `_outline`: both kinds of brackets are mapped to one, and all other characters are deleted.
_OUTLINE = bytes.maketrans(b"{}", b"[]")
_NOT_OUTLINE = bytes(byte for byte in range(256) if byte not in b'[]{}":')
# Maps opening brackets to 1 and closing brackets to -1.
_STEPS = bytes.maketrans(b"[]", b"\x01\xff")
# For `_may_overflow`: maps all digits to "0".
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_MANY_DIGITS = b"0" * 209  # with a two-digit exponent, fewer digits cannot exceed 1.8e308
_INFINITE = frozenset([math.inf, -math.inf])
#: For JSON texts of at least this size, in bytes, a sample is used to estimate how often a character occurs.
_SAMPLE_FROM = 4096
_SAMPLE_STEP = 16
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read(
    handler: HandlerInterface, is_collected: bool, default: Any, max_depth: int, max_size: int | None
) -> Any:
    """Return the value of the JSON body of a handler's request. The value is cached.

    :param is_collected: whether the body is complete and available as ``request.body``.
    :param max_size: the maximum size of the body in bytes, or None for the server's ``max_json_size``.
    :raises InvalidBodyError: if the body is empty and there is no default, is not valid JSON, or is too
        large, or if its Content-Type is not JSON.
    """
    if not is_collected:
        raise RuntimeError(
            f"get_json_body() cannot be used because {type(handler).__name__} streams its request body: "
            "collect the chunks passed to data_received(), or remove stream_request_body"
        )
    body = handler.request.body
    if not body:
        if default is _ARG_DEFAULT:
            raise InvalidBodyError("expected a JSON body, got an empty one")
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
    """Check that Content-Type is JSON in UTF-8 (RFC 8259 sections 8.1 and 11, RFC 6839 section 3.1).

    This also rejects bodies sent by forms of other sites, which cannot set this Content-Type.
    """
    field = headers.get("Content-Type", "")
    try:
        kind, parameters = parse_parameters(field, max_count=_MAX_CONTENT_TYPE_PARAMETERS)
    except HTTPInputError as error:
        raise InvalidBodyError("Content-Type is malformed: %s", error, status_code=415) from error
    kind = kind.lower()
    if kind != "application/json" and not (kind.endswith("+json") and "/" in kind):
        raise InvalidBodyError("expected Content-Type application/json, got %r", field[:100], status_code=415)
    charset = parameters.get("charset") or "utf-8"
    if charset.lower() not in ("utf-8", "utf8"):
        raise InvalidBodyError("expected the charset utf-8 for JSON, got %r", charset[:100], status_code=415)
    coding = headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise InvalidBodyError(
            "Content-Encoding %r is accepted only by a server with decompress_request=True",
            coding[:100],
            status_code=415,
        )


def _check_size(connection: object, size: int, max_size: int | None) -> None:
    name = "max_size"
    if max_size is None:
        name, max_size = "max_json_size", getattr(connection, "max_json_size", None)
    if isinstance(max_size, int) and size > max_size:
        raise InvalidBodyError(
            "the JSON body has %d bytes, more than %s (%d)", size, name, max_size, status_code=413
        )


def parse(body: bytes, max_depth: int = DEFAULT_MAX_DEPTH) -> Any:
    """Return the value of a JSON text.

    :param max_depth: the maximum nesting depth of arrays and objects.
    :raises InvalidBodyError: (400) if the text is malformed. The message contains the position.
    """
    if body.startswith(_BOM):
        raise InvalidBodyError("the JSON begins with a byte order mark (RFC 8259 section 8.1)")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError("the JSON is not UTF-8 at byte %d", error.start) from error
    # Garbage collection during decoding would visit each new container several times, and free nothing.
    collects = len(body) >= _SAMPLE_FROM and gc.isenabled()
    if collects:
        gc.disable()
    try:
        value = _decode(body, text, max_depth)
    except json.JSONDecodeError as error:
        where = (error.msg, error.lineno, error.colno)
        raise InvalidBodyError("invalid JSON: %s (line %d column %d)", *where) from error
    except ValueError as error:
        raise InvalidBodyError("the JSON is rejected: %s", error) from error
    except RecursionError as error:
        _check_depth(body, max_depth)
        raise InvalidBodyError("the JSON is nested too deeply for Python's recursion limit") from error
    finally:
        if collects:
            gc.enable()
    if b"\\" in body and _SURROGATE.search(body):
        _check_surrogates(value)
    return value


def _decode(body: bytes, text: str, max_depth: int) -> Any:
    """Return the value of `text`, which is `body` decoded.

    :raises ValueError: if it is malformed, an object contains a name twice, or a number is too large.
    :raises InvalidBodyError: if it is nested too deeply.
    """
    if not 0 < sys.get_int_max_str_digits() <= MAX_DIGITS:
        _check_depth(body, max_depth)
        return _COUNTING_DECODER.decode(text)
    sample = body if len(body) < _SAMPLE_FROM else body[::_SAMPLE_STEP]
    # Calling a function for each number with a fraction is cheap if there are few.
    if sample.count(b".") * 40 < len(sample) or _may_overflow(body):
        value = _FINITE_DECODER.decode(text)
    else:
        value = _DECODER.decode(text)
    containers = _count(body, sample, b"[") + _count(body, sample, b"{")
    if containers:
        members, depth = _measure(value, containers)
        if depth > max_depth:
            raise InvalidBodyError("the JSON is nested %d deep, max_depth is %d", depth, max_depth)
        if members != _count(body, sample, b":") and members != _outline(body).count(b":"):
            return _UNIQUE_DECODER.decode(text)  # raises an error with the repeated name
    return value


def _count(body: bytes, sample: bytes, byte: bytes) -> int:
    """Return the number of occurrences of `byte`.

    ``count`` compares each byte. ``replace`` uses memchr(), which is faster if there are few occurrences.
    """
    if sample.count(byte) * 24 > len(sample):
        return body.count(byte)
    return len(body) - len(body.replace(byte, b""))


def _may_overflow(body: bytes) -> bool:
    """Whether a number may be outside the range of a float, or have more than `MAX_DIGITS` digits."""
    zeros = body.translate(_DIGITS, b"+")
    return b"e000" in zeros or _MANY_DIGITS in zeros


def _measure(value: Any, containers: int) -> tuple[int, int]:
    """Return the total number of members of all objects in `value`, and the nesting depth.

    :param containers: an upper bound for the number of objects and arrays. The search ends when that many
        have been found.
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
        # The referents of a list are its items. This is three times as fast as iterating over each list.
        level = gc.get_referents(*arrays)
        level += chain.from_iterable(map(dict.values, objects))


def _of_type(kind: type, level: list[Any], kinds: set[type]) -> list[Any]:
    if kind not in kinds:
        return []
    return level if len(kinds) == 1 else [each for each in level if type(each) is kind]


def _outline(body: bytes) -> bytes:
    """Return the brackets and colons of a JSON text outside its strings, with braces replaced by brackets.

    >>> _outline(b'{"a": ["b:", {}]}')
    b'[:[[]]]'
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # now each quote delimits a string
    kept = body.translate(_OUTLINE, _NOT_OUTLINE).replace(b'""', b"")
    # After two adjacent quotes are removed, the other quotes still open and close strings alternately.
    return b"".join(kept.split(b'"')[::2]) if b'"' in kept else kept


def _check_depth(body: bytes, limit: int) -> None:
    """Raise an error if a JSON text is nested too deeply, without decoding it."""
    steps = _outline(body).translate(_STEPS, b":")
    depth = max(accumulate(memoryview(steps).cast("b")), default=0)
    if depth > limit:
        raise InvalidBodyError("the JSON is nested %d deep, max_depth is %d", depth, limit)


def _check_surrogates(value: Any) -> None:
    """Raise an error if a string contains a lone surrogate, which could not be encoded again."""
    # In the dump, surrogates and a few other characters begin with 0xED. Dumping is faster than encoding.
    if b"\xed" not in marshal.dumps(value, 2):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InvalidBodyError("the JSON contains a lone surrogate, \\u%04x", ord(half)) from error


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:40]!r} occurs twice in one object")
            seen.add(name)
    return made


def _parse_float(text: str) -> float:
    value = float(text if len(text) < MAX_DIGITS else _check_digits(text))
    if value in _INFINITE:
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _check_digits(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return text


def _parse_int(text: str) -> int:
    return int(_check_digits(text))


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
_FINITE_DECODER = json.JSONDecoder(parse_float=_parse_float, parse_constant=_reject_constant)
# These decoders also check each object.
_UNIQUE_DECODER = json.JSONDecoder(
    object_pairs_hook=_make_object, parse_float=_parse_float, parse_constant=_reject_constant
)
_COUNTING_DECODER = json.JSONDecoder(
    object_pairs_hook=_make_object,
    parse_float=_parse_float,
    parse_int=_parse_int,
    parse_constant=_reject_constant,
)
