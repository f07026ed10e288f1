"""Comparison of our reader with h11 and llhttp, for messages that are valid or nearly valid."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.codings import require
from tornado._wire import header_validation
from tornado._wire.h1 import Role

ROLES = [Role.SERVER, Role.CLIENT]


@pytest.fixture(scope="module")
def differences() -> Any:
    """Return the comparison in ``fuzz/support``; skip the test if the other parsers are not installed."""
    for package in ("h11", "httptools"):
        require(f"the package {package}", importlib.util.find_spec(package) is not None)
    from fuzz.support import differences

    return differences


def message(role: Role, decisions: bytes) -> bytes:
    """Return a message generated from the grammar."""
    from fuzz.support import grammar
    from fuzz.support.choices import Choices

    return (grammar.requests if role is Role.SERVER else grammar.responses)(Choices(decisions))


# Most decisions are 0, the plain alternative, so a message deviates from it in only a few places.
DECISIONS = st.lists(st.one_of(*[st.just(0)] * 5, st.integers(0, 255)), max_size=120).map(bytes)


@pytest.mark.parametrize("role", ROLES)
@given(decisions=DECISIONS)
@settings(max_examples=400, deadline=None)
def test_reader_accepts_nothing_that_both_others_reject(
    role: Role, decisions: bytes, differences: Any
) -> None:
    """Our reader parses each accepted message as h11 and llhttp do, and raises only its documented errors."""
    differences.compare(message(role, decisions), role)


@pytest.mark.parametrize("role", ROLES)
@given(decisions=DECISIONS, at=st.integers(0, 200), new=st.binary(max_size=3), gone=st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_inserted_and_removed_bytes(
    role: Role, decisions: bytes, at: int, new: bytes, gone: int, differences: Any
) -> None:
    data = message(role, decisions)
    differences.compare(data[:at] + new + data[at + gone :], role)


@pytest.mark.parametrize("role", ROLES)
def test_grammar_generates_messages_that_are_accepted(role: Role, differences: Any) -> None:
    """If messages of the grammar were not accepted, nothing would be compared."""
    assert len(differences.compare(message(role, b""), role).messages) == 1
    taken = 0
    for at in range(30):
        for choice in range(20):
            taken += bool(differences.compare(message(role, bytes([0] * at + [choice])), role).messages)
    assert taken > 300


DEVIATION_EXAMPLES = {
    "empty lines before a request": b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "content of a CONNECT request": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    "Host beside an absolute target": b"GET http://b:81/c HTTP/1.1\r\nHost: a\r\n\r\n",
    "octets from 0x80 up in a target": b"GET /\xc3\xa4?\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "whitespace before a chunk extension": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 ;x\r\na\r\n0\t;x\r\n\r\n"
    ),
    "fields about framing among the trailers": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: x\r\n\r\n"
    ),
}


def test_each_listed_deviation_is_needed(differences: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a listed deviation, its example is reported as a difference."""
    assert [deviation.name for deviation in differences.DEVIATIONS] == list(DEVIATION_EXAMPLES)
    for deviation in list(differences.DEVIATIONS):
        data = DEVIATION_EXAMPLES[deviation.name]
        if deviation.name.startswith("empty lines"):
            data = data.replace(b"GET", b"PRI")  # llhttp accepts such lines, but not this method
        differences.compare(data, Role.SERVER)
        with monkeypatch.context() as patch:
            patch.setattr(
                differences, "DEVIATIONS", [d for d in differences.DEVIATIONS if d is not deviation]
            )
            with pytest.raises(differences.Difference):
                differences.compare(data, Role.SERVER)


def test_introduced_leniency_is_detected(differences: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If our reader is made to accept an invalid length, the comparison reports a difference."""
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"
    assert differences.compare(data, Role.SERVER).messages == []
    monkeypatch.setattr(header_validation, "_DIGITS", header_validation.re.compile(r"[+]?[0-9]++"))
    with pytest.raises(differences.Difference, match="only our reader accepts"):
        differences.compare(data, Role.SERVER)
