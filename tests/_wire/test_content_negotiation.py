"""The choice of a content coding by Accept-Encoding, and the entity tags of encoded content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornado._wire import content_negotiation, quality_values
from tornado._wire.content_negotiation import (
    choose_coding,
    identity_refused,
    parse_accept_encoding,
    strong_tag,
    weak_tag,
)

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("field", "weights"),
    [
        ("gzip", {"gzip": 1000}),
        ("GZip, X-GZIP;q=0.5", {"gzip": 1000}),  # if a coding occurs twice, the first member applies
        ("x-compress", {"compress": 1000}),
        ("a;q=0, b;q=0., c;q=0.1, d;q=0.12, e;q=0.123, f;q=1, g;q=1., h;q=1.000",
         {"a": 0, "b": 0, "c": 100, "d": 120, "e": 123, "f": 1000, "g": 1000, "h": 1000}),
        ("a;Q=0.5 \t,\t b \t;\t q=0.25,*", {"a": 500, "b": 250, "*": 1000}),
        (",, ,a,,", {"a": 1000}),
        ("", {}),
    ],
)  # fmt: skip
def test_weights_are_parsed(field: str, weights: dict[str, int]) -> None:
    assert parse_accept_encoding(field) == weights


@pytest.mark.parametrize(
    "member",
    ["a;", "a;q", "a;q=", "a;q=2", "a;q=1.1", "a;q=1.0000", "a;q=0.0000", "a;q=.5", "a;q=-1", "a;q =1",
     "a;q= 1", "a;q=0.5;x=y", "a b", "a/b", ";q=1", "\u0661", "a;q=0.\u0661", "a\n", "\u00e9", '"a"'],
)  # fmt: skip
def test_malformed_members_are_ignored(member: str) -> None:
    assert parse_accept_encoding(member) == {}
    assert parse_accept_encoding(f"b;q=0.5, {member}, c") == {"b": 500, "c": 1000}


@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),  # the fields of Chromium and Firefox
        ("gzip, deflate, br", "br"),
        ("gzip, br;q=0.9, zstd;q=0.8", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("zstd;q=0, *", "br"),
        ("*;q=0.5, gzip", "gzip"),
        ("gzip;q=0.5, identity", None),  # the client explicitly prefers identity
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("identity;q=0.5, *;q=0.4", None),
        ("identity;q=0, *;q=0", None),
        ("gzip;q=2, br", "br"),
    ],
)
def test_coding_with_the_greatest_weight_is_chosen(field: str | None, chosen: str | None) -> None:
    assert choose_coding(field, ALL) == chosen
    assert choose_coding(field, list(ALL)) == chosen


def test_first_available_coding_is_preferred() -> None:
    field = "gzip, br"
    assert choose_coding(field, ("gzip", "br")) == "gzip"
    assert choose_coding(field, ("br", "gzip")) == "br"
    assert choose_coding(field, ()) is None


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        (None, False),
        ("", False),
        ("gzip", False),
        ("gzip;q=0", False),
        ("identity;q=0", True),
        ("identity;q=0.000, gzip", True),
        ("identity;q=0.001", False),
        ("*;q=0", True),
        ("gzip, *;q=0", True),
        ("identity;q=0.5, *;q=0", False),
        ("*;q=0, identity", False),
    ],
)
def test_identity_refused(field: str | None, refused: bool) -> None:
    assert identity_refused(field) is refused


def test_number_of_members_is_limited() -> None:
    most = quality_values.MAX_MEMBERS
    assert choose_coding("x," * (most - 1) + "gzip", ALL) == "gzip"
    assert choose_coding("x," * most + "gzip", ALL) is None
    assert len(parse_accept_encoding(",".join(f"x{i}" for i in range(10_000)))) == most


def test_size_of_the_cache_is_limited() -> None:
    content_negotiation._remembered.cache_clear()
    for i in range(1000):
        choose_coding(f"gzip, x{i}", ALL)
    assert content_negotiation._remembered.cache_info().currsize == 256
    content_negotiation._remembered.cache_clear()
    long = "gzip" + " " * content_negotiation.MAX_REMEMBERED
    assert choose_coding(long, ALL) == "gzip"
    assert content_negotiation._remembered.cache_info().currsize == 0


def test_weak_and_strong_tags() -> None:
    assert weak_tag('"a"') == weak_tag('W/"a"') == 'W/"a"'
    assert strong_tag('"a"') == strong_tag('W/"a"') == '"a"'


MEMBERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["gzip", "br", "zstd", "identity", "*", "x-gzip", "", "GZIP", "deflate"]),
    st.sampled_from(["", ";", " ; ", ";q=", ";Q="]),
    st.sampled_from(["", "0", "1", "0.5", "0.000", "1.001", "q=0", "\x00"]) | st.text(max_size=3),
)


@given(st.text() | st.lists(MEMBERS, max_size=6).map(",".join), st.lists(st.sampled_from(ALL), unique=True))
def test_chosen_coding_is_accepted_by_arbitrary_text(field: str, available: list[str]) -> None:
    chosen = choose_coding(field, available)
    assert chosen is None or chosen in available
    if chosen is not None:
        # The field accepts the chosen coding, and no other available coding has a greater weight.
        weights = parse_accept_encoding(field)
        weight = {name: weights.get(name, weights.get("*", 0)) for name in available}
        assert weight[chosen] == max(weight.values()) > 0
        assert weight[chosen] >= weights.get("identity", 0)
    assert isinstance(identity_refused(field), bool)
