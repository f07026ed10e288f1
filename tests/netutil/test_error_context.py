"""The context of errors in their messages."""

from __future__ import annotations

import errno
import ssl

from tornado.netutil._error_context import address_name, placed


def test_address_name():
    assert address_name(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert address_name(("::1", 80, 0, 0)) == "[::1]:80"
    assert address_name("/run/app.sock") == "/run/app.sock"
    assert address_name(b"\0name") == address_name("\0name") == "@name"
    assert address_name("") == "an unnamed socket"
    assert address_name(None) == "None"


def test_context_is_appended_to_the_message():
    error = placed(OSError(errno.ECONNREFUSED, "refused"), "connecting to 127.0.0.1:80")
    assert isinstance(error, ConnectionRefusedError)
    assert str(error) == f"[Errno {errno.ECONNREFUSED}] refused (connecting to 127.0.0.1:80)"


def test_later_context_replaces_the_earlier_one():
    error = placed(OSError(errno.EPIPE, "broken"), "writing to 127.0.0.1:80")
    assert placed(error, "writing to example.com").strerror == "broken (writing to example.com)"


def test_errors_without_a_number():
    assert placed(OSError("broken"), "here").args == ("broken (here)",)
    assert placed(OSError(), "here").args == ()
    error = ssl.SSLError(1, "[SSL] wrong version")
    assert str(placed(error, "TLS handshake with a")) == "[SSL] wrong version (TLS handshake with a)"


def test_other_errors_are_not_changed():
    error = ValueError("wrong")
    assert placed(error, "here") is error
    assert str(error) == "wrong"
