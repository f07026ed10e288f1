from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import pytest

from tornado._serve.admin.access import Access, choose_access
from tornado._serve.bind import parse_bind
from tornado._serve.listeners import Listener, open_listener


@contextlib.contextmanager
def listening(text: str) -> Iterator[Listener]:
    listener = open_listener(parse_bind(text), mode=0o600)
    try:
        yield listener
    finally:
        listener.close()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "127.0.0.2:0"])
def test_loopback_address_needs_no_token_but_checks_the_host(address):
    with listening(address) as listener:
        access, generated = choose_access(listener, None)
    assert access.token is None
    assert not generated
    assert access.hosts is not None
    assert {"127.0.0.1", "[::1]", ".localhost", address.partition(":")[0]} == set(access.hosts)


@pytest.mark.parametrize("address", [":0", "0.0.0.0:0"])
def test_other_address_has_a_generated_token(address):
    with listening(address) as listener:
        access, generated = choose_access(listener, None)
        another, _ = choose_access(listener, None)
    assert generated
    assert access.token is not None
    assert another.token is not None
    assert len(access.token) >= 32
    assert access.token != another.token
    assert access.hosts is None


def test_socket_file_needs_no_token(tmp_path):
    with listening(f"unix:{tmp_path}/socket") as listener:
        assert choose_access(listener, None) == (Access(None, None), False)
        assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("address", ["127.0.0.1:0", ":0"])
def test_token_of_the_configuration_is_required(address):
    with listening(address) as listener:
        access, generated = choose_access(listener, "a" * 16)
    assert (access.token, generated) == ("a" * 16, False)
    assert access.accepts("a" * 16)
    assert not access.accepts("a" * 15)
    assert not access.accepts("ä")


def test_without_a_token_none_is_accepted():
    assert not Access(None, None).accepts("")
    assert not Access(None, None).accepts("None")


def test_cookie_depends_on_the_token():
    access = Access("a" * 16, None)
    another = dataclasses.replace(access, token="b" * 16)
    assert access.cookie_name != another.cookie_name
    assert access.cookie_secret != another.cookie_secret
    assert "a" * 16 not in access.cookie_secret
