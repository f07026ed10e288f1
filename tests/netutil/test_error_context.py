"""The context of errors in their messages."""

from __future__ import annotations

import errno
import ssl

from tornado.netutil._error_context import add_error_context, format_address


def test_addresses_are_formatted():
    assert format_address(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert format_address(("::1", 80, 0, 0)) == "[::1]:80"
    assert format_address("/run/app.sock") == "/run/app.sock"
    assert format_address(b"\0name") == format_address("\0name") == "@name"
    assert format_address("") == "an unnamed socket"
    assert format_address(None) == "None"


def test_context_is_appended_to_the_message():
    error = add_error_context(OSError(errno.ECONNREFUSED, "refused"), "connecting to 127.0.0.1:80")
    assert isinstance(error, ConnectionRefusedError)
    assert str(error) == f"[Errno {errno.ECONNREFUSED}] refused (connecting to 127.0.0.1:80)"


def test_later_context_replaces_the_earlier_one():
    error = add_error_context(OSError(errno.EPIPE, "broken"), "writing to 127.0.0.1:80")
    assert add_error_context(error, "writing to example.com").strerror == "broken (writing to example.com)"


def test_errors_without_a_number():
    assert add_error_context(OSError("broken"), "here").args == ("broken (here)",)
    assert add_error_context(OSError(), "here").args == ()
    error = ssl.SSLError(1, "[SSL] wrong version")
    assert (
        str(add_error_context(error, "TLS handshake with a")) == "[SSL] wrong version (TLS handshake with a)"
    )


def test_other_errors_are_not_changed():
    error = ValueError("wrong")
    assert add_error_context(error, "here") is error
    assert str(error) == "wrong"
