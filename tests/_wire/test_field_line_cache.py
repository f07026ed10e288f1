"""The cache of field lines: which lines it stores, and how many."""

import pytest

from tests.support.wire import headers_from_block
from tornado._wire import field_line_cache
from tornado._wire.field_line_cache import (
    CACHED,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DECISIVE,
    HANDSHAKE,
    HOST,
    IF_NONE_MATCH,
    MAX_HOSTS,
    MAX_LINE_SIZE,
    MAX_LINES,
    MAX_NAME_SIZE,
    MAX_NAMES,
    NOT_CACHED,
    REPEATING,
    UPGRADE,
    hosts,
    keep_host,
    keep_line,
    kind_of,
    lines,
)
from tornado._wire.headers import known_lines


@pytest.fixture(autouse=True)
def _fresh_tables():
    field_line_cache.forget()
    yield
    field_line_cache.forget()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("User-Agent", CACHED),
        ("sec-CH-ua", CACHED),
        ("Host", HOST),
        ("HOST", HOST),
        ("content-length", CONTENT_LENGTH),
        ("If-None-Match", IF_NONE_MATCH),
        ("Connection", CONNECTION),
        ("Content-Type", CONTENT_TYPE),
        ("transfer-encoding", DECISIVE),
        ("Upgrade", UPGRADE),
        ("Expect", DECISIVE),
        ("Cookie", NOT_CACHED),
        ("X-Request-Id", NOT_CACHED),
        ("Host ", DECISIVE),
        ("", DECISIVE),
        ("X\xe9", DECISIVE),
        ("X\n", DECISIVE),
    ],
)
def test_field_names_have_a_kind(name, kind):
    for _ in range(2):
        assert kind_of[name] == kind


@pytest.mark.parametrize(
    "name",
    """
    authorization proxy-authorization cookie x-api-key x-auth-token x-csrf-token x-xsrftoken x-request-id
    x-forwarded-for x-real-ip forwarded referer if-none-match if-modified-since traceparent sec-websocket-key
    """.split(),
)
def test_fields_that_identify_a_user_or_request_are_not_cached(name):
    assert name not in REPEATING


def test_cache_sizes_are_limited():
    for number in range(max(MAX_LINES, MAX_HOSTS, MAX_NAMES) + 1):
        keep_line(f"DNT: {number}")
        keep_host(f"Host: {number}", str(number))
        assert kind_of[f"x-{number}"] == NOT_CACHED
        assert len(lines) <= MAX_LINES
        assert len(hosts) <= MAX_HOSTS
        assert len(kind_of) <= MAX_NAMES
        assert len(known_lines) <= MAX_LINES + MAX_HOSTS + len(HANDSHAKE) + 1
    field_line_cache.forget()
    keep_line("x" * (MAX_LINE_SIZE + 1))
    keep_host("x" * (MAX_LINE_SIZE + 1), "x")
    assert kind_of["x" * (MAX_NAME_SIZE + 1)] == NOT_CACHED
    assert kind_of["Host "] == DECISIVE
    assert lines == HANDSHAKE == set(known_lines) - {"Upgrade: websocket"}
    assert not hosts
    assert not kind_of


@pytest.mark.parametrize("line", ["Accept:  */*\t", "accept: */*", "Accept:*/*"])
def test_headers_of_cached_lines_are_those_of_others(line):
    block = f"{line}\r\nUpgrade: websocket\r\nUPGRADE: h2c\r\n"
    expected = [("Accept", "*/*"), ("Upgrade", "websocket"), ("Upgrade", "h2c")]
    for _ in range(2):
        assert list(headers_from_block(block).get_all()) == expected
        assert list(headers_from_block(block.replace("\r\n", "\n")).get_all()) == expected
        keep_line(line)
