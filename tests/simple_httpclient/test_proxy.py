"""What a request says about a proxy. Tunnels themselves are in `tests/websocket/test_client_proxy.py`."""

from __future__ import annotations

import pytest

from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import HTTPProxyError
from tornado.simple_httpclient._proxy import Proxy, proxy_of


def test_no_proxy() -> None:
    assert proxy_of(HTTPRequest("http://x/")) is None
    assert proxy_of(HTTPRequest("http://x/", proxy_username="me")) is None


def test_a_proxy() -> None:
    assert proxy_of(HTTPRequest("http://x/", proxy_host="p", proxy_port=1)) == Proxy("p", 1)
    assert str(Proxy("::1", 3128)) == "[::1]:3128"


def test_credentials_are_not_shown() -> None:
    request = HTTPRequest("http://x/", proxy_host="p", proxy_port=1, proxy_username="a", proxy_password="b")
    proxy = proxy_of(request)
    assert proxy == Proxy("p", 1, "Basic YTpi")
    assert "YTpi" not in repr(proxy)


def test_half_a_proxy() -> None:
    with pytest.raises(ValueError, match="go together"):
        proxy_of(HTTPRequest("http://x/", proxy_host="p"))


def test_the_error() -> None:
    error = HTTPProxyError(407, "no")
    assert (error.code, error.proxy_code, str(error)) == (599, 407, "no")
