"""The proxy arguments of a request. Tunnels are tested in `tests/websocket/test_client_proxy.py`."""

from __future__ import annotations

import pytest

from tornado.httpclient import HTTPRequest
from tornado.httpclient._proxy import ProxyServer
from tornado.simple_httpclient import HTTPProxyError
from tornado.simple_httpclient._proxy import proxy_of


def test_request_without_proxy_host_has_no_proxy() -> None:
    assert proxy_of(HTTPRequest("http://x/")) is None
    assert proxy_of(HTTPRequest("http://x/", proxy_username="me")) is None


def test_proxy_arguments_define_a_proxy() -> None:
    assert proxy_of(HTTPRequest("http://x/", proxy_host="p", proxy_port=1)) == ProxyServer("http", "p", 1)


def test_credentials_are_not_shown() -> None:
    request = HTTPRequest("http://x/", proxy_host="p", proxy_port=1, proxy_username="a", proxy_password="b")
    proxy = proxy_of(request)
    assert proxy is not None
    assert proxy.authorization == "Basic YTpi"
    assert "YTpi" not in repr(proxy)


def test_proxy_host_or_port_alone() -> None:
    with pytest.raises(ValueError, match="must be set together"):
        proxy_of(HTTPRequest("http://x/", proxy_host="p"))


@pytest.mark.parametrize("host", ["ftp://x", "http://", "socks4://x:1"])
def test_host_that_is_not_the_url_of_a_proxy(host: str) -> None:
    with pytest.raises(ValueError, match=r"unsupported scheme|malformed proxy URL"):
        proxy_of(HTTPRequest("http://x/", proxy_host=host, proxy_port=1))


def test_proxy_error_has_the_code_of_the_proxy() -> None:
    error = HTTPProxyError(407, "no")
    assert (error.code, error.proxy_code, str(error)) == (599, 407, "no")
