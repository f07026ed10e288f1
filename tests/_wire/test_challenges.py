"""Authentication challenges: valid lists, and lists with syntax errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import assert_linear
from tornado._wire.challenges import (
    MAX_CHALLENGES,
    MAX_PARAMS,
    Challenge,
    format_challenge,
    parse_auth_params,
    parse_challenges,
)


@pytest.mark.parametrize(
    ("fields", "challenges"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (["Basic"], [Challenge("basic", {})]),
        (["Basic, Negotiate"], [Challenge("basic", {}), Challenge("negotiate", {})]),
        (['BASIC realm="a"'], [Challenge("basic", {"realm": "a"})]),
        (["Basic Realm=a"], [Challenge("basic", {"realm": "a"})]),
        (['Basic realm = "a" , x\t=\tb'], [Challenge("basic", {"realm": "a", "x": "b"})]),
        (['Basic realm="a, Digest b=\\"c\\" \\d"'], [Challenge("basic", {"realm": 'a, Digest b="c" d'})]),
        (['Basic realm=""'], [Challenge("basic", {"realm": ""})]),
        (["Negotiate abc/+=="], [Challenge("negotiate", {}, "abc/+==")]),
        (["Negotiate abc=, Basic a=b"], [Challenge("negotiate", {}, "abc="), Challenge("basic", {"a": "b"})]),
        # RFC 9110 section 11.6.1
        (
            ['Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""'],
            [
                Challenge("basic", {"realm": "simple"}),
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
            ],
        ),
        (
            ["Digest realm=a, nonce=b,,Basic realm=c", "Bearer"],
            [
                Challenge("digest", {"realm": "a", "nonce": "b"}),
                Challenge("basic", {"realm": "c"}),
                Challenge("bearer", {}),
            ],
        ),
        (["Bearer , realm=a"], [Challenge("bearer", {"realm": "a"})]),
        # Challenges before a syntax error, and those in other fields, are returned.
        (["Basic realm=a, @", "Bearer"], [Challenge("bearer", {})]),
        (['Basic realm="a, Bearer x=y'], []),
        (["Bearer x=y, Basic realm="], [Challenge("bearer", {"x": "y"}), Challenge("basic", {}, "realm=")]),
        (["Bearer x=y, Basic realm=a b"], [Challenge("bearer", {"x": "y"})]),
        (['Basic realm="a\x00"'], []),
        (["=a"], []),
        (["Basic a=1, a=1, Bearer b=c"], [Challenge("bearer", {"b": "c"})]),
    ],
)
def test_challenges_are_parsed(fields: list[str], challenges: list[Challenge]) -> None:
    assert parse_challenges(fields) == challenges


def test_numbers_of_challenges_and_parameters_are_limited() -> None:
    assert len(parse_challenges([", ".join(["Basic"] * 20)])) == MAX_CHALLENGES
    assert len(parse_challenges(["Basic"] * 20)) == MAX_CHALLENGES
    params = ", ".join(f"a{i}=b" for i in range(MAX_PARAMS))
    (challenge,) = parse_challenges(["Basic " + params])
    assert len(challenge.params) == MAX_PARAMS
    assert parse_challenges([f"Basic {params}, x=y"]) == []


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("", {}),
        ('nextnonce="a", qop=auth , nc=00000001', {"nextnonce": "a", "qop": "auth", "nc": "00000001"}),
        ("a=b, c", {}),
        ("a=b, c d=e", {}),
        ("a=b, a=c", {}),
    ],
)
def test_parameters_without_a_scheme_are_parsed(field: str, params: dict[str, str]) -> None:
    assert parse_auth_params(field) == params


@pytest.mark.parametrize("piece", ["a ", "a=", "a=b,", '"', "\\", 'a="\\', ",", " ", "a,", 'a="b" '])
def test_cost_is_linear(piece: str) -> None:
    assert_linear(lambda field: parse_challenges([field]), lambda size: piece * size, 2000)


@given(st.text(st.sampled_from('Ba=",\\ \t1\x00')))
def test_arbitrary_text_raises_no_error(field: str) -> None:
    for challenge in parse_challenges([field]):
        assert challenge.scheme == challenge.scheme.lower()
    parse_auth_params(field)


# -- serialization --


@pytest.mark.parametrize(
    ("scheme", "params", "written"),
    [
        ("Negotiate", {}, "Negotiate"),
        ("Basic", {"realm": ""}, 'Basic realm=""'),
        ("Bearer", {"realm": "a, b", "error": "invalid_token"}, 'Bearer realm="a, b", error="invalid_token"'),
        ("Basic", {"realm": 'the "inner\\outer" one'}, 'Basic realm="the \\"inner\\\\outer\\" one"'),
    ],
)
def test_challenge_is_serialized(scheme: str, params: dict[str, str], written: str) -> None:
    assert format_challenge(scheme, params) == written
    assert parse_challenges([written]) == [Challenge(scheme.lower(), params)]


@pytest.mark.parametrize(
    ("scheme", "params", "message"),
    [
        ("", {}, "scheme"),
        ("Two words", {}, "scheme"),
        ("Basic,", {}, "scheme"),
        ("Basic", {"a b": "c"}, "name of a challenge's parameter"),
        ("Basic", {"": "c"}, "name of a challenge's parameter"),
        ("Basic", {"realm": "a\r\nSet-Cookie: b=c"}, "realm must be printable ASCII"),
        ("Basic", {"realm": "caf\xe9"}, "realm must be printable ASCII"),
    ],
)
def test_values_that_cannot_be_serialized(scheme: str, params: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        format_challenge(scheme, params)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_serialized_challenges_are_parsed_back(value: str) -> None:
    (challenge,) = parse_challenges([format_challenge("Test", {"a": value, "b": "c"})])
    assert challenge == Challenge("test", {"a": value, "b": "c"})
