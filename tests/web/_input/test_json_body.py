"""JSON bodies of requests."""

from __future__ import annotations

import gc
import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tests.support.work import assert_linear
from tornado import web
from tornado.web import InvalidBodyError
from tornado.web._input._json_body import DEFAULT_MAX_DEPTH, MAX_DIGITS, parse

JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"null", None),
        (b" [1, -2.5, 1e3, true, false] \r\n\t", [1, -2.5, 1000.0, True, False]),
        (b'{"a": {"b": ["c"]}}', {"a": {"b": ["c"]}}),
        ('"ü中\U0001f600"'.encode(), "ü中\U0001f600"),
        (rb'"\ud83d\ude00\n\u0000"', "\U0001f600\n\0"),
        (rb'"\\ud800"', r"\ud800"),
        (b"1e-999", 0.0),
        (b'"' + b"[" * 1000 + b'\\""', "[" * 1000 + '"'),
    ],
)
def test_valid_json_is_parsed(text: bytes, expected: Any) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", r"invalid JSON: Expecting property name .* \(line 1 column 2\)"),
        (b'{\n"a": 1,\n}', r"invalid JSON: .* \(line (2|3) column"),
        (b"[1] x", r"invalid JSON: Extra data \(line 1 column 5\)"),
        (b"   ", r"invalid JSON: Expecting value \(line 1 column 4\)"),
        (b"'a'", "invalid JSON"),
        (b'"a\nb"', r"invalid JSON: Invalid control character"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'"\xff"', r"not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', r"not UTF-8 at byte 1"),
        ("{}".encode("utf-16"), "not UTF-8 at byte 0"),
        (b"[NaN]", "NaN is not valid JSON"),
        (b"Infinity", "Infinity is not valid JSON"),
        (b"-Infinity", "-Infinity is not valid JSON"),
        (b"1e999", "the number 1e999 is too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "the name 'a' occurs twice in one object"),
        (rb'{"a": 1, "\u0061": 3}', "the name 'a' occurs twice"),
        (rb'["\ud800"]', r"contains a lone surrogate, \\ud800"),
        (rb'{"\uDC00": 1}', r"contains a lone surrogate, \\udc00"),
        (b"1" * (MAX_DIGITS + 1), "Exceeds the limit|more than"),
        (b"0." + b"1" * (MAX_DIGITS + 1), f"more than {MAX_DIGITS} digits"),
    ],
)
def test_invalid_json_raises_with_a_short_message(text: bytes, message: str) -> None:
    with pytest.raises(InvalidBodyError, match=message) as caught:
        parse(text)
    assert caught.value.status_code == 400
    assert len(str(caught.value)) < 300


@pytest.fixture
def unlimited_digits() -> Iterator[None]:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


def test_digits_are_limited_without_limit_of_the_interpreter(unlimited_digits: None) -> None:
    assert parse(b"[12, -3]") == [12, -3]
    assert parse(b"1" * MAX_DIGITS) == int("1" * MAX_DIGITS)
    with pytest.raises(InvalidBodyError, match="more than 4300 digits"):
        parse(b"1" * (MAX_DIGITS + 1))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_nesting_depth_is_limited(opening: bytes, closing: bytes) -> None:
    each = opening.count(b"[") + opening.count(b"{")

    def nested(depth: int) -> bytes:
        return opening * (depth // each) + b"1" + closing * (depth // each)

    parse(nested(DEFAULT_MAX_DEPTH))
    too_deep = DEFAULT_MAX_DEPTH + each
    with pytest.raises(InvalidBodyError, match=f"nested {too_deep} deep, max_depth is {DEFAULT_MAX_DEPTH}"):
        parse(nested(too_deep))
    with pytest.raises(InvalidBodyError, match="nested too deeply for Python"):
        parse(nested(100_000), max_depth=200_000)
    assert parse(b"[" + b"[]," * 1000 + b"[]]", max_depth=2) == [[]] * 1001


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_output_of_json_dumps_is_accepted(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert parse(text.encode()) == value


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(values, st.integers(0, 4))
def test_depth_is_computed_exactly(value: Any, max_depth: int) -> None:
    text = json.dumps(value).encode()
    if depth_of(value) <= max_depth:
        assert parse(text, max_depth) == value
    else:
        with pytest.raises(InvalidBodyError, match=f"nested {depth_of(value)} deep"):
            parse(text, max_depth)


@given(st.binary(max_size=60) | st.text('[]{}"\\,:x1\n').map(str.encode), st.sampled_from([0, 2, 100]))
@example(b'"\\', 0)
@example(b'["', 0)
def test_arbitrary_bytes_raise_no_other_error(body: bytes, max_depth: int) -> None:
    try:
        parse(body, max_depth)
    except InvalidBodyError:
        pass


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'["', b"\\", b'"\\', b"[]", b'{"":', b"1", b"\\ud800"])
def test_malicious_bodies_are_rejected_quickly(unit: bytes) -> None:
    for start in (b"", b'"', b"[" * 200):
        with pytest.raises(InvalidBodyError):
            parse(start + unit * (300_000 // len(unit)))


def reference(text: str) -> Any:
    """Return the value of a JSON text, decoded with a check of each object and number in Python."""

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name occurs twice")
        return dict(pairs)

    def number(text: str) -> float:
        if len(text) > MAX_DIGITS or math.isinf(float(text)):
            raise ValueError("too large")
        return float(text)

    def constant(text: str) -> None:
        raise ValueError("not valid JSON")

    value = json.loads(text, object_pairs_hook=made, parse_float=number, parse_constant=constant)
    json.dumps(value, ensure_ascii=False).encode()
    return value


texts = st.lists(
    st.sampled_from(
        [
            *'{}[]:,"\\ 1-.eEa',
            '"a"',
            '"b":',
            '"a:b"',
            '"\\\\"',
            '"\\""',
            '"[{"',
            '"\\ud800"',
            '"\\ud83d\\ude00"',
            '"\\\\ud83d\\ude00"',
            '{"a":1}',
            '{"a":1,"a":2}',
            '{"a":{"b":[]},"b":{}}',
            '{"a" :1, "b":":"}',
            "[1.5,2.5]",
            "1e99",
            "1e999",
            "-1E+400",
            "1e-999",
            "9" * 400,
            "9" * 400 + ".5",
            "0." + "1" * MAX_DIGITS,
            "NaN",
        ]
    ),
    max_size=6,
).map("".join)


@pytest.mark.parametrize("large", [True, False])
@given(texts | values.map(json.dumps))
@example('{"a":1,"b":{"a":1,"a":2}}')
@example('{"a":":","a":1}')
@example('[".", "e999", 1e999]')
@example('["\\ud800", "\\ud83d\\ude00"]')
@example('["\\ud800퀀"]')
def test_result_equals_that_of_a_decoder_that_checks_each_object(large: bool, text: str) -> None:
    if large:
        text = f'[{text}, "{"x" * 5000}", {{"a": {{"b": [0.25]}}}}]'
    try:
        expected = reference(text)
    except ValueError:
        with pytest.raises(InvalidBodyError):
            parse(text.encode())
    else:
        assert repr(parse(text.encode())) == repr(expected)


@pytest.mark.parametrize("count", [2, 3000])
@pytest.mark.parametrize(
    "item",
    [
        {"id": 1, "name": "a:b", "tags": ["[", "}"], "score": 1.5, "at": "2026-11-22T10:31:04"},
        {"a": {"b": {"c": 1}}},
        [0.25, 1e50, 0.1],
        ["10.0.0.1", "e1.5"],
    ],
)
def test_large_bodies_are_checked(count: int, item: Any) -> None:
    text = json.dumps([item] * count)
    assert parse(text.encode()) == [item] * count
    for fault, message in [
        ('{"a": 1, "\\u0061": 2}', "the name 'a' occurs twice"),
        ("1e400", "the number 1e400 is too large"),
        ("-9E+0999", "the number -9E.0999 is too large"),
        ("9" * 309 + ".0", "is too large"),
        ("0." + "1" * MAX_DIGITS, "more than 4300 digits"),
        ('"\\udfff"', "contains a lone surrogate"),
        ("[" * 100 + "]" * 100, "nested 101 deep"),
    ]:
        with pytest.raises(InvalidBodyError, match=message):
            parse(f"{text[:-1]}, {fault}]".encode())


def test_garbage_collection_is_restored() -> None:
    assert gc.isenabled()
    parse(b"[" + b"1, " * 5000 + b"1]")
    assert gc.isenabled()
    gc.disable()
    try:
        with pytest.raises(InvalidBodyError):
            parse(b"[" + b"1, " * 5000)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "unit",
    [
        b"[],",
        b'{"a":1},',
        b'{"a":{}},',
        b'"a:b",',
        b'"\\"",',
        b"1.5,",
        b"1e5,",
        b'"\\ud83d\\ude00",',
        b'"[",',
    ],
)
def test_cost_is_linear(unit: bytes) -> None:
    assert_linear(parse, lambda size: b"[" + unit * (size // len(unit)) + b"0]", 20_000)


# -- in a handler --


class Echo(web.RequestHandler):
    def post(self) -> None:
        value = self.get_json_body()
        assert self.get_json_body() is value
        self.write(json.dumps(value))


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/vnd.api+json",
        "application/json; odd",
    ],
)
async def test_accepted_content_types(kind: str) -> None:
    response = await ask(Echo, f"Content-Type: {kind}", method="POST", body=b'{"a": [1]}')
    assert json.loads(response.body) == {"a": [1]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "expected Content-Type application/json, got ''"),
        (["Content-Type: text/plain"], "expected Content-Type application/json, got 'text/plain'"),
        (["Content-Type: application/jsonp"], "expected .*, got 'application/jsonp'"),
        (["Content-Type: application/x-www-form-urlencoded"], "expected Content-Type"),
        (["Content-Type: +json"], "expected Content-Type"),
        (["Content-Type: application/json" + ";" * 60_000], "Content-Type is malformed: .*parameters"),
        (
            ["Content-Type: application/json; charset=latin-1"],
            "expected the charset utf-8 for JSON, got 'latin-1'",
        ),
        ([JSON, "Content-Encoding: gzip"], "Content-Encoding 'gzip' is .*decompress_request=True"),
    ],
)
async def test_other_content_types_are_rejected(fields: Any, message: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", f"415 POST /.*Invalid body: {message}"):
        assert (await ask(Echo, *fields, method="POST", body=b"{}")).code == 415


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a": 1,}', r"400 POST /.*Invalid body: invalid JSON: .*\(line 1 column \d+\)"),
        (b"", "Invalid body: expected a JSON body, got an empty one"),
        (b'"%s %d', "Invalid body: invalid JSON"),
        (b'{"%s": 1, "%s": 1}', re.escape("the name '%s' occurs twice")),
    ],
)
async def test_malformed_body_leads_to_400(body: bytes, message: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", message):
        response = await ask(Echo, JSON, method="POST", body=body)
    assert response.code == 400
    told = json.loads(response.body)["error"]
    assert told["status"] == 400
    assert re.search(message.rpartition("Invalid body: ")[2], told["message"])


async def test_default_for_empty_body() -> None:
    handler = handler_of(post=lambda self: self.write(repr(self.get_json_body(None))))
    assert (await ask(handler, method="POST", body=b"")).body == b"None"
    assert (await ask(handler, JSON, method="POST", body=b"[]")).body == b"[]"


async def test_cached_value_is_not_used_for_another_max_depth(expect_log: ExpectLog) -> None:
    def post(self: Any) -> None:
        assert self.get_json_body() == [[[]]]
        assert self.get_json_body(max_depth=3) == [[[]]]
        self.get_json_body(max_depth=2)

    with expect_log("tornado.general", "nested 3 deep, max_depth is 2"):
        assert (await ask(handler_of(post=post), JSON, method="POST", body=b"[[[]]]")).code == 400


async def test_streamed_body_is_not_available(expect_log: ExpectLog) -> None:
    @web.stream_request_body
    class Streaming(web.RequestHandler):
        def data_received(self, chunk: bytes) -> None:
            pass

        def post(self) -> None:
            self.get_json_body()

    async with serving(web.Application([("/", Streaming)])) as server:
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await server.fetch("/", JSON, method="POST", body=b"{}")).code == 500
    assert "cannot be used because Streaming streams its request body" in str(raised(expected))


@pytest.mark.parametrize(
    ("options", "arguments", "limit"),
    [
        ({"max_json_size": 10}, {}, 10),
        ({"max_json_size": 10}, {"max_size": 20}, 20),
        ({}, {"max_size": 5}, 5),
        ({"protection": "public"}, {}, 128 * 1024),
    ],
)
async def test_size_is_limited(options: Any, arguments: Any, limit: int, expect_log: ExpectLog) -> None:
    handler = handler_of(post=lambda self: self.write(str(len(self.get_json_body(**arguments)))))
    async with serving(web.Application([("/", handler)]), **options) as server:
        body = b'"' + b"a" * (limit - 2) + b'"'
        assert (await server.fetch("/", JSON, method="POST", body=body)).body == b"%d" % (limit - 2)
        name = "max_size" if arguments else "max_json_size"
        with expect_log(
            "tornado.general",
            rf"413 POST .*the JSON body has {limit + 1} bytes, more than {name} \({limit}\)",
        ):
            assert (await server.fetch("/", JSON, method="POST", body=body + b" ")).code == 413
