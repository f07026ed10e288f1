"""`HTTPHeaders`: the mapping, repeated fields, invalid input, parsing and serializing."""

from __future__ import annotations

import collections.abc
import copy
import pickle
import tracemalloc
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.wire import headers_from_block, put, serialized
from tornado._wire import headers as module
from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import FieldNames, HTTPHeaders, InvalidHeader, is_token, is_unchanged

BAD_NAMES = ["", " ", "a b", "a:", "é", "a\r\nb", "a\n", "a\0", "(a)", "\x7f"]
BAD_VALUES = ["a\r\nb", "a\nb", "a\rb", "\0", "a\x0bb", "\x1f", "\x7f"]


def repeated() -> HTTPHeaders:
    headers = HTTPHeaders()
    headers.add("set-cookie", "A=B")
    headers.add("x-one", "1")
    headers.add("Set-Cookie", "C=D")
    headers.add("SET-COOKIE", "E=F")
    return headers


@given(st.text("-aBz09_", min_size=module.MAX_KEPT_NAME_SIZE + 1))
@example("x" * 65)
def test_a_long_name_is_normalised_like_a_short_one(name: str) -> None:
    expected = "-".join([word.capitalize() for word in name.split("-")])
    assert list(HTTPHeaders({name: "1"})) == [expected]


def test_normalising_a_long_name_creates_no_object_per_word() -> None:
    with mock.patch.object(module, "_names", module._Names()):
        tracemalloc.start()
        try:
            assert "-" * 50_000 not in HTTPHeaders({"a": "1"})
            assert tracemalloc.get_traced_memory()[1] < 500_000
        finally:
            tracemalloc.stop()


class TestMapping:
    def test_is_a_mutable_mapping(self) -> None:
        assert isinstance(HTTPHeaders(), collections.abc.MutableMapping)

    @pytest.mark.parametrize(
        ("given", "normal"),
        [
            ("content-type", "Content-Type"),
            ("CONTENT-TYPE", "Content-Type"),
            ("ETag", "Etag"),
            ("x-1a-B", "X-1a-B"),
            ("a--b-", "A--B-"),
            ("__x-y_z", "__x-Y_z"),
        ],
    )
    def test_names_are_normalised(self, given: str, normal: str) -> None:
        headers = HTTPHeaders({given: "v"})
        assert list(headers) == [normal]
        assert headers[given.upper()] == headers[given.lower()] == "v"

    def test_constructors_accept_mappings_pairs_and_keywords(self) -> None:
        assert dict(HTTPHeaders()) == {}
        assert dict(HTTPHeaders({"a": "1", "A": "2"})) == {"A": "2"}
        assert dict(HTTPHeaders([("a", "1"), ("b", "2")])) == {"A": "1", "B": "2"}
        assert dict(HTTPHeaders(a="1", b="2")) == {"A": "1", "B": "2"}
        assert dict(HTTPHeaders({"a": "1"}, b="2")) == {"A": "1", "B": "2"}
        with pytest.raises(TypeError):
            HTTPHeaders({}, {})

    def test_copy_by_constructor_has_separate_repeated_values(self) -> None:
        source = repeated()
        twin = HTTPHeaders(source)
        twin.add("Set-Cookie", "G=H")
        assert twin.get_list("Set-Cookie") == ["A=B", "C=D", "E=F", "G=H"]
        assert source.get_list("Set-Cookie") == ["A=B", "C=D", "E=F"]

    def test_setting_an_item_replaces_all_values(self) -> None:
        headers = repeated()
        headers["Set-Cookie"] = "x"
        assert headers.get_list("set-cookie") == ["x"]

    def test_get_contains_and_delete(self) -> None:
        headers = repeated()
        assert headers["set-cookie"] == headers.get("Set-Cookie") == "A=B,C=D,E=F"
        assert headers.get("X-One") == "1"
        assert headers.get("x-none") is None
        assert headers.get("x-none", "d") == "d"
        assert "X-ONE" in headers
        assert "x-none" not in headers
        assert 5 not in headers
        assert b"x-one" not in headers
        del headers["x-one"]
        assert "x-one" not in headers
        with pytest.raises(KeyError):
            headers["x-one"]
        with pytest.raises(KeyError):
            del headers["x-one"]

    def test_inherited_mapping_methods_work(self) -> None:
        headers = repeated()
        assert len(headers) == 2
        assert headers.pop("Set-Cookie") == "A=B,C=D,E=F"
        assert headers.setdefault("X-Two", "2") == "2"
        assert headers.setdefault("x-two", "3") == "2"
        headers.update({"x-three": "3"})
        assert list(headers.items()) == [("X-One", "1"), ("X-Two", "2"), ("X-Three", "3")]
        assert headers == {"X-One": "1", "X-Two": "2", "X-Three": "3"}
        headers.clear()
        assert len(headers) == 0
        assert serialized(headers) == b""

    def test_clear_before_first_access(self) -> None:
        headers = headers_from_block("A: b\r\nA: c\r\n")
        headers.clear()
        assert dict(headers) == {}
        assert headers.copy() == {}

    def test_attributes_may_be_set(self) -> None:
        headers = HTTPHeaders()
        headers.note = "x"  # type: ignore[attr-defined]
        assert vars(headers) == {"note": "x"}
        with pytest.raises(AttributeError):
            headers.nothing  # type: ignore[attr-defined]  # noqa: B018

    def test_overridden_methods_are_called(self) -> None:
        class Shouting(HTTPHeaders):
            def __getitem__(self, name: str) -> str:
                return super().__getitem__(name).upper()

            def get_all(self) -> collections.abc.Iterable[tuple[str, str]]:
                return [("X", "y")]

        headers = Shouting({"a": "b"})
        assert headers.get("a") == "B"
        assert headers.get("b") is None
        assert serialized(headers) == b"X: y\r\n"

    def test_overridden_add_is_called_for_each_copied_value(self) -> None:
        seen = []

        class Recording(HTTPHeaders):
            def add(self, name: str, value: str, *, _chars_are_bytes: bool = True) -> None:
                seen.append((name, value))
                super().add(name, value, _chars_are_bytes=_chars_are_bytes)

        assert Recording(repeated()) == repeated()
        assert len(seen) == 4
        assert type(Recording.parse("a: b")) is Recording

    def test_names_of_other_types_are_rejected(self) -> None:
        with pytest.raises(TypeError, match="a header name must be a str"):
            HTTPHeaders().get(b"a")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a header name must be a str"):
            HTTPHeaders()[b"a"] = "b"  # type: ignore[index]


class TestRepeated:
    def test_get_list_and_get_all(self) -> None:
        headers = repeated()
        assert headers.get_list("set-cookie") == ["A=B", "C=D", "E=F"]
        assert headers.get_list("x-one") == ["1"]
        assert headers.get_list("x-none") == []
        assert list(headers.get_all()) == [
            ("Set-Cookie", "A=B"),
            ("Set-Cookie", "C=D"),
            ("Set-Cookie", "E=F"),
            ("X-One", "1"),
        ]

    def test_returned_list_is_a_copy(self) -> None:
        headers = repeated()
        headers.get_list("Set-Cookie").append("x\r\n")
        headers.get_list("X-One").append("x\r\n")
        assert str(headers) == str(repeated())

    def test_list_as_value(self) -> None:
        headers = HTTPHeaders({"a": ["1", b"2"], "b": ("3",)})
        assert headers.get_list("a") == ["1", "2"]
        assert headers["b"] == "3"
        assert serialized(headers.copy()) == b"A: 1\r\nA: 2\r\nB: 3\r\n"
        with pytest.raises(InvalidHeader):
            headers["a"] = ["1", "2\n"]  # type: ignore[assignment]
        with pytest.raises(TypeError):
            headers["a"] = []  # type: ignore[assignment]


class TestInvalidInput:
    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_invalid_names_are_rejected(self, name: str) -> None:
        headers = HTTPHeaders()
        for set_it in (headers.__setitem__, headers.add):
            with pytest.raises(HTTPInputError, match="Invalid header name"):
                set_it(name, "v")
        assert name not in headers
        assert len(headers) == 0

    @pytest.mark.parametrize("value", BAD_VALUES)
    def test_invalid_values_are_rejected(self, value: str) -> None:
        headers = HTTPHeaders()
        for set_it in (headers.__setitem__, headers.add):
            for each in (value, value.encode(), "a" + value, value + "é"):
                with pytest.raises(HTTPInputError, match="Invalid header value"):
                    set_it("a", each)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="Invalid header value"):
            headers.add("a", value, _chars_are_bytes=False)
        assert len(headers) == 0

    def test_added_values_must_be_trimmed_latin_1(self) -> None:
        headers = HTTPHeaders()
        for value in (" a", "a ", "\ta", "a\t", "中", "é中"):
            with pytest.raises(InvalidHeader):
                headers.add("a", value)
            headers.add("b", value, _chars_are_bytes=False)
            headers["a"] = value
        headers.add("c", "a\tb é\xa0\x85")
        assert headers["c"] == "a\tb é\xa0\x85"

    def test_values_of_other_types_are_decoded_stored_or_rejected(self) -> None:
        headers = HTTPHeaders({"a": 5, "b": b"caf\xe9"})
        assert headers["a"] == 5  # type: ignore[comparison-overlap]
        assert headers["b"] == "café"
        assert serialized(headers) == b"A: 5\r\nB: caf\xe9\r\n"
        headers.add("c", b"d")  # type: ignore[arg-type]
        assert headers["c"] == "d"
        for value in (None, object()):
            with pytest.raises(TypeError, match="a header value must be a str"):
                headers["a"] = value  # type: ignore[assignment]
            with pytest.raises(TypeError, match="a header value must be a str"):
                headers.add("a", value)  # type: ignore[arg-type]

    def test_values_may_be_subclasses_of_str(self) -> None:
        class Text(str):
            __slots__ = ()

        headers = HTTPHeaders({"a": Text("b")})
        headers.add("a", Text("c"))
        assert headers["a"] == "b,c"


class TestText:
    def test_parse_line_adds_a_field(self) -> None:
        headers = HTTPHeaders()
        for line in ("A: b", "A:c\r\n", "A:\t d \t\n", "", "\r\n", "\n", "B:"):
            headers.parse_line(line)
        assert headers.get_list("a") == ["b", "c", "d"]
        assert headers["b"] == ""

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("A", "no colon"),
            (" A: b", "starts with whitespace"),
            ("\tb", "starts with whitespace"),
            ("A : b", "Invalid header name"),
            (": b", "Invalid header name"),
            ("A: b\r", "Invalid header value"),
            ("A: b\nC: d", "Invalid header value"),
            ("A: 中", "Latin-1"),
        ],
    )
    def test_parse_line_rejects_invalid_lines(self, line: str, text: str) -> None:
        with pytest.raises(HTTPInputError, match=text):
            HTTPHeaders().parse_line(line)

    def test_parse_returns_all_fields(self) -> None:
        assert list(HTTPHeaders.parse("A: b\r\nC: d\n\r\na: e").get_all()) == [
            ("A", "b"),
            ("A", "e"),
            ("C", "d"),
        ]
        assert HTTPHeaders.parse("A: 中", _chars_are_bytes=False)["a"] == "中"
        assert len(HTTPHeaders.parse("")) == 0

    @pytest.mark.parametrize("char", list("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
    def test_only_lf_ends_a_line(self, char: str) -> None:
        try:
            headers = HTTPHeaders.parse(f"A: b{char}C: d", _chars_are_bytes=False)
        except HTTPInputError:
            return
        assert list(headers) == ["A"]

    def test_str_has_a_line_for_each_value(self) -> None:
        assert str(repeated()) == "Set-Cookie: A=B\nSet-Cookie: C=D\nSet-Cookie: E=F\nX-One: 1\n"
        assert repeated().__unicode__() == str(repeated())

    def test_serialized_lines_end_in_crlf(self) -> None:
        assert serialized(HTTPHeaders({"a": "é", "b": ""})) == b"A: \xe9\r\nB: \r\n"
        assert serialized(repeated()) == str(repeated()).replace("\n", "\r\n").encode()
        with pytest.raises(UnicodeEncodeError):
            serialized(HTTPHeaders({"a": "中"}))

    def test_put_sets_a_field(self) -> None:
        headers = HTTPHeaders({"a": "b"})
        put(headers, "Content-Length", "5")
        assert headers["content-length"] == "5"


class TestBlock:
    BLOCK = "Host: a\r\nX-A:  1 \t\r\nx-a:2\nEmpty:\r\n"

    def test_fields_of_a_block_are_available(self) -> None:
        for block in (self.BLOCK, self.BLOCK + "\r\n", self.BLOCK + "Long: " + "x" * 2000 + "\r\n"):
            headers = headers_from_block(block)
            assert headers["host"] == "a"
            assert headers.get_list("X-A") == ["1", "2"]
            assert headers["x-a"] == "1,2"
            assert headers["empty"] == ""
            assert len(headers) == 3 + ("Long" in block)

    @pytest.mark.parametrize(
        "touch",
        [
            lambda h: h["host"],
            lambda h: h.get("host"),
            lambda h: h.get_list("Host")[0],
            lambda h: "a" if "Host" in h else None,
            lambda h: dict(h)["Host"],
            lambda h: h.copy()["Host"],
            lambda h: h.setdefault("Host", "b"),
            lambda h: "a" if len(h) == 3 else None,
            lambda h: h.__setitem__("Host", "b") or "a",
            lambda h: pickle.loads(pickle.dumps(h))["Host"],
            lambda h: copy.deepcopy(h)["Host"],
        ],
    )
    def test_first_access_parses_the_block(self, touch: collections.abc.Callable[[HTTPHeaders], str]) -> None:
        assert touch(headers_from_block(self.BLOCK)) == "a"

    def test_headers_of_the_same_block_are_independent(self) -> None:
        for block in (self.BLOCK, "Host: a\r\n"):
            first, second = headers_from_block(block), headers_from_block(block)
            first["Host"] = "b"
            first.add("X-A", "3")
            assert second["Host"] == "a"
            assert "3" not in second.get_list("X-A")
            assert headers_from_block(block)["Host"] == "a"

    def test_from_block_of_a_subclass(self) -> None:
        class Sub(HTTPHeaders):
            pass

        assert type(headers_from_block("a: b", Sub)) is Sub


class TestCopies:
    @pytest.mark.parametrize(
        "duplicate",
        [copy.copy, copy.deepcopy, HTTPHeaders.copy, HTTPHeaders, lambda h: pickle.loads(pickle.dumps(h))],
    )
    @pytest.mark.parametrize("source", [repeated, lambda: HTTPHeaders({"X-One": "1"})])
    def test_copies_are_equal_and_independent(
        self,
        duplicate: collections.abc.Callable[[HTTPHeaders], HTTPHeaders],
        source: collections.abc.Callable[[], HTTPHeaders],
    ) -> None:
        original = source()
        twin = duplicate(original)
        assert list(twin.get_all()) == list(original.get_all())
        assert twin == original
        twin.add("Set-Cookie", "I=J")
        twin["X-One"] = "2"
        assert str(original) == str(source())
        assert twin.get_list("set-cookie")[-1] == "I=J"


def test_name_caches_are_limited() -> None:
    headers = HTTPHeaders()
    for number in range(module.MAX_KEPT_NAMES + 10):
        headers[f"name-{number}"] = "v"
        assert f"nome-{number}" not in headers
    assert len(module._names) <= module.MAX_KEPT_NAMES
    assert len(module._valid_names) <= module.MAX_KEPT_NAMES
    long = "x" * (module.MAX_KEPT_NAME_SIZE + 1)
    headers[long] = "v"
    assert headers[long] == "v"
    assert long not in module._names
    assert long not in module._valid_names


def test_is_token_rejects_separators_and_controls() -> None:
    assert is_token("a-Z09!#$%&'*+-.^_`|~")
    assert not any(is_token(text) for text in BAD_NAMES)


TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
NAMES = st.text(TOKEN, min_size=1, max_size=8)
#: Field values (RFC 9110 section 5.5), with one latin-1 character for each byte.
VALUES = st.text([chr(code) for code in (9, *range(32, 127), *range(128, 256))], max_size=20).map(
    lambda value: value.strip(" \t")
)


class TestAnyFields:
    @given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
    def test_round_trip_of_added_values(self, pairs: list[tuple[str, str]]) -> None:
        """Added values are unchanged after serialization and parsing, line by line or as a block."""
        headers = HTTPHeaders()
        for name, value in pairs:
            headers.add(name, value)
        for name, _ in pairs:
            wanted = [value for other, value in pairs if other.lower() == name.lower()]
            assert headers.get_list(name.swapcase()) == wanted
            assert headers[name.upper()] == headers.get(name) == ",".join(wanted)
        block = serialized(headers).decode("latin-1")
        there = list(headers.get_all())
        assert sorted(value for _, value in there) == sorted(value for _, value in pairs)
        for again in (HTTPHeaders.parse(block), headers_from_block(block), headers.copy()):
            assert list(again.get_all()) == there
            assert again == headers

    @given(st.text(st.characters(max_codepoint=300)) | st.text(":\r\n\0 aB"))
    @example("a: b\r\n c")
    def test_accepted_text_has_valid_names_and_values(self, text: str) -> None:
        """In accepted fields, the names are tokens, and the values contain no line end."""
        try:
            headers = HTTPHeaders.parse(text)
        except HTTPInputError:
            return
        for name, value in headers.get_all():
            assert set(name) <= set(TOKEN)
            assert not set(value) & set("\r\n\0")
        out = serialized(headers)
        assert out.count(b"\n") == len(list(headers.get_all()))
        assert list(HTTPHeaders.parse(out.decode("latin-1")).get_all()) == list(headers.get_all())

    @given(NAMES, st.text(st.characters(max_codepoint=255)))
    def test_value_cannot_begin_another_line(self, name: str, value: str) -> None:
        """A value set by the program is rejected or serialized in one line (CVE-2025-67724)."""
        headers = HTTPHeaders()
        try:
            headers[name] = value
        except InvalidHeader:
            return
        assert serialized(headers).splitlines() == [f"{next(iter(headers))}: {value}".encode("latin-1")]


def test_headers_are_equal_if_their_joined_values_are():
    def headers(*lines: str) -> HTTPHeaders:
        return HTTPHeaders.parse("".join(f"{line}\r\n" for line in lines))

    assert headers("a: 1", "b: 2") == headers("B: 2", "A: 1") == {"A": "1", "B": "2"}
    assert headers("a: 1") != headers("a: 2")
    assert headers("a: 1") != headers("a: 1", "a: 1")
    assert headers("a: 1", "a: 2") == headers("a: 1", "a: 2") == headers("a: 1,2")
    assert headers("a: 1", "a: 2") != headers("a: 2", "a: 1")
    assert headers("a: 1") != "a: 1"
    with pytest.raises(TypeError, match="unhashable"):
        hash(headers("a: 1"))


@pytest.mark.parametrize(
    ("change", "unchanged"),
    [
        (lambda headers: headers.get("A"), True),
        (lambda headers: headers.get_list("a").append("x"), True),
        (lambda headers: headers.copy().clear(), True),
        (lambda headers: list(headers.get_all()), True),
        (lambda headers: headers.__setitem__("A", "1"), False),
        (lambda headers: headers.__delitem__("A"), False),
        (lambda headers: headers.add("A", "2"), False),
        (lambda headers: headers.parse_line("B: 2"), False),
        (lambda headers: headers.setdefault("B", "2"), False),
        (lambda headers: headers.pop("A"), False),
        (lambda headers: headers.update(B="2"), False),
        (lambda headers: headers.clear(), False),
    ],
)
def test_changed_headers_are_recognised(change, unchanged):
    block = "A: 1\r\nC: 3\r\n"
    headers = headers_from_block(block)
    for _ in range(2):
        assert is_unchanged(headers, block)
        headers.get("A")  # the fields are parsed on first access
    change(headers)
    assert is_unchanged(headers, block) is unchanged
    assert not is_unchanged({"A": "1", "C": "3"}, block)


class TestFieldNames:
    NAMES = ("upgrade", "Sec-WebSocket-Key", "Set-Cookie", "X-Missing")

    def values(self, headers: object) -> list[str | None]:
        return FieldNames(*self.NAMES).values_in(headers)

    def test_values_are_those_of_get(self) -> None:
        block = "Upgrade: websocket\r\nSEC-WEBSOCKET-KEY: abc\r\nSet-Cookie: a\r\n"
        assert self.values(headers_from_block(block)) == ["websocket", "abc", "a", None]

    def test_values_of_a_repeated_field_are_joined(self) -> None:
        block = "Set-Cookie: a\r\nSet-Cookie: b\r\nUpgrade: h2c\r\n"
        assert self.values(headers_from_block(block)) == ["h2c", None, "a,b", None]

    def test_names_are_looked_up_as_given_in_another_mapping(self) -> None:
        assert self.values({"upgrade": "h2c", "Sec-WebSocket-Key": "abc"}) == ["h2c", "abc", None, None]

    def test_get_of_a_subclass_is_called(self) -> None:
        class Shouting(HTTPHeaders):
            def __getitem__(self, name: str) -> str:
                return super().__getitem__(name).upper()

        assert self.values(Shouting({"Upgrade": "h2c"})) == ["H2C", None, None, None]
