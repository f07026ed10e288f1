from __future__ import annotations

import errno
import ssl

import pytest

from tornado import iostream
from tornado.iostream._errors import is_connection_reset, remove_frames


def test_stream_closed_error() -> None:
    error = iostream.StreamClosedError()
    assert isinstance(error, OSError)
    assert error.real_error is None
    assert str(error) == "Stream is closed"
    assert iostream.StreamClosedError(real_error=error).real_error is error


@pytest.mark.parametrize(
    ("error", "reset"),
    [
        (ConnectionResetError(errno.ECONNRESET, "x"), True),
        (BrokenPipeError(errno.EPIPE, "x"), True),
        (OSError(errno.EIO, "x"), False),
        (ValueError(errno.EPIPE), False),
        (ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "x"), True),
        (ssl.SSLError(ssl.SSL_ERROR_SSL, "x"), False),
        (ssl.SSLCertVerificationError("x"), False),
    ],
)
def test_is_connection_reset(error: Exception, reset: bool) -> None:
    assert is_connection_reset(error) is reset


def test_connection_reset_numbers() -> None:
    assert errno.ECONNRESET in iostream._ERRNO_CONNRESET


def test_errors_belong_to_the_public_module() -> None:
    for name in iostream.__all__:
        assert getattr(iostream, name).__module__ == "tornado.iostream"
    assert iostream.doctests().countTestCases() == 0


def test_without_frames_removes_traceback_and_context() -> None:
    with pytest.raises(OSError, match="x") as caught:
        try:
            raise KeyError
        except KeyError:
            raise OSError(errno.EPIPE, "x")  # noqa: B904
    error = caught.value
    assert error.__context__ is not None
    assert remove_frames(error) is error
    assert (error.__traceback__, error.__context__, error.errno) == (None, None, errno.EPIPE)
