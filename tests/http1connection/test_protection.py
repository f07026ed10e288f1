"""`Protection`: the two predefined sets, and replacing single values."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.tcpserver import connection_limits
from tornado import httpserver
from tornado.http1connection import HTTP1ConnectionParameters, _protection
from tornado.http1connection._protection import DEFAULT, PUBLIC, Protection


def test_names() -> None:
    assert Protection.of(None) is DEFAULT
    assert Protection.of("default") is DEFAULT
    assert Protection.of("public") is PUBLIC
    assert Protection.of(PUBLIC) is PUBLIC
    assert Protection() == DEFAULT
    assert httpserver.PUBLIC is PUBLIC
    assert httpserver.Protection is Protection


@pytest.mark.parametrize("name", ["", "Public", "strict"])
def test_unknown_protection_name_is_rejected(name: str) -> None:
    if not name:
        assert Protection.of(name) is DEFAULT
        return
    with pytest.raises(ValueError, match=r'"default", "public" or a Protection'):
        Protection.of(name)


@pytest.mark.parametrize("value", [True, 1, object()])
def test_invalid_type_of_protection_is_rejected(value: Any) -> None:
    with pytest.raises(TypeError, match="expected protection"):
        Protection.of(value)


def test_arguments_override_values_of_protection() -> None:
    chosen = Protection.of("public", header_timeout=5, min_send_rate=None, max_connections=7)
    assert chosen == dataclasses.replace(PUBLIC, header_timeout=5, max_connections=7)


def test_short_idle_timeout_limits_other_timeouts() -> None:
    chosen = Protection.of(None, idle_connection_timeout=7, header_timeout=9)
    assert (chosen.header_timeout, chosen.tls_handshake_timeout) == (9, 7)
    chosen = Protection.of(None, idle_connection_timeout=700)
    assert (chosen.header_timeout, chosen.tls_handshake_timeout) == (60, 60)


def test_idle_timeout_of_zero_does_not_limit_other_timeouts() -> None:
    chosen = Protection.of(None, idle_connection_timeout=0)
    assert (chosen.header_timeout, chosen.tls_handshake_timeout) == (60, 60)
    with pytest.raises(ValueError, match="idle_connection_timeout must be positive"):
        Protection.of(None, idle_connection_timeout=-1)
    with pytest.raises(TypeError, match="idle_connection_timeout must be a number"):
        Protection.of(None, idle_connection_timeout="5")


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(Protection)])
def test_nan_is_rejected_as_limit(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be positive, got nan"):
        Protection(**{field: math.nan})


@pytest.mark.parametrize(
    "field",
    [
        "max_header_size",
        "max_header_count",
        "max_connections",
        "max_connections_per_address",
        "max_pipelined_requests",
    ],
)
def test_sizes_and_counts_must_be_whole_numbers(field: str) -> None:
    for value in (10.5, math.inf):
        with pytest.raises(TypeError, match=f"{field} must be a whole number, got {value}"):
            Protection(**{field: value})  # type: ignore[arg-type]
    assert getattr(Protection(**{field: 1e4}), field) == 10_000  # type: ignore[arg-type]


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(Protection)])
def test_each_value_must_be_a_positive_number(field: str) -> None:
    with pytest.raises(TypeError, match=f"{field} must be a number"):
        Protection(**{field: "10"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"{field} must be a number"):
        Protection(**{field: True})
    with pytest.raises(ValueError, match=f"{field} must be positive"):
        Protection(**{field: -1})
    if field in _protection._MAY_BE_ZERO:
        Protection(**{field: 0})
    else:
        with pytest.raises(ValueError, match=field):
            Protection(**{field: 0})
    if getattr(DEFAULT, field) is None:
        assert getattr(Protection(**{field: None}), field) is None  # type: ignore[arg-type]
    else:
        with pytest.raises(TypeError, match=field):
            Protection(**{field: None})  # type: ignore[arg-type]


def test_timeout_may_be_infinite() -> None:
    assert Protection(header_timeout=math.inf).header_timeout == math.inf


def test_documentation_lists_each_value() -> None:
    text = _protection.__doc__ or ""
    for field in dataclasses.fields(Protection):
        assert f"`{field.name}`" in text


def test_connection_parameters_override_protection() -> None:
    params = HTTP1ConnectionParameters(protection=PUBLIC, max_header_size=100, body_timeout=3)
    assert (params.max_header_size, params.body_timeout) == (100, 3)
    assert params.limits.max_header_count == PUBLIC.max_header_count
    assert params.limits.max_request_line == 100
    params = HTTP1ConnectionParameters(header_timeout=0.5)
    assert (params.idle_timeout, params.head_timeout, params.handshake_timeout) == (0.5, 0.5, 0.5)


GUIDE = (Path(__file__).parents[2] / "docs/guide/protection.md").read_text()


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(Protection)])
def test_values_in_guide_match_code(field: str) -> None:
    (row,) = re.findall(rf"^\| `{field}` \|[^|]*\| *([^| ]*) *\| *([^| ]*) *\|", GUIDE, re.MULTILINE)
    values = [getattr(each, field) for each in (DEFAULT, PUBLIC)]
    assert [None if text == "none" else float(text) for text in row] == values


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
async def test_programs_in_guide_run(program: str) -> None:
    names: dict[str, Any] = {"__name__": "protection"}
    exec(compile(program, "protection.md", "exec"), names)
    assert "application" in names or connection_limits(names["server"]) is not None
