"""The delegate interfaces: methods that a subclass may omit, and methods that it must define."""

from __future__ import annotations

import pytest

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)


def test_methods_with_default_implementation() -> None:
    delegate = HTTPMessageDelegate()
    assert delegate.headers_received(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders()) is None
    assert delegate.data_received(b"x") is None
    delegate.finish()
    delegate.on_connection_close()
    HTTPServerConnectionDelegate().on_close(object())


def test_methods_without_default_implementation_raise() -> None:
    connection = HTTPConnection()
    with pytest.raises(NotImplementedError):
        HTTPServerConnectionDelegate().start_request(object(), connection)
    with pytest.raises(NotImplementedError):
        connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders())
    with pytest.raises(NotImplementedError):
        connection.write(b"x")
    with pytest.raises(NotImplementedError):
        connection.finish()
