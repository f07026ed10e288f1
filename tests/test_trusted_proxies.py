from __future__ import annotations

import pytest

from tests.support.server import handler_of, serving
from tornado._trusted_proxies import TrustedProxies
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("fe80::1%eth0", True),
        ("unix", False),
        ("", False),
        (None, False),
    ],
)
def test_addresses_and_networks(address, trusted):
    proxies = TrustedProxies(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "fe80::/10"])
    assert (address in proxies) is trusted
    assert not proxies.unix


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "proxy", ""])
def test_other_texts_are_refused(wrong):
    with pytest.raises(ValueError, match=f"trusted_proxies must contain IP addresses, .*got '{wrong}'"):
        HTTPServer(Application(), trusted_proxies=[wrong])


def test_single_text_is_refused():
    with pytest.raises(ValueError, match="must be a list of addresses and networks, got '10.0.0.1'"):
        TrustedProxies("10.0.0.1")


@pytest.mark.parametrize(
    ("options", "forwarded", "expected"),
    [
        ({"trusted_proxies": ["127.0.0.1"]}, "192.0.2.9", "192.0.2.9 https"),
        (
            {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]},
            "192.0.2.9, 10.0.0.5, 10.9.9.9",
            "192.0.2.9 https",
        ),
        (
            {"trusted_proxies": ["127.0.0.1"], "trusted_downstream": ["10.0.0.5"]},
            "192.0.2.9, 10.0.0.5",
            "192.0.2.9 https",
        ),
        ({"trusted_proxies": ["127.0.0.1"]}, "192.0.2.9, 10.0.0.5", "10.0.0.5 https"),
        ({"trusted_proxies": ["127.0.0.1"]}, "unknown", "127.0.0.1 https"),
        ({"trusted_proxies": ["10.0.0.0/8", "unix"]}, "192.0.2.9", "127.0.0.1 http"),
        ({"trusted_proxies": [], "xheaders": True}, "192.0.2.9", "127.0.0.1 http"),
        ({"trusted_proxies": None}, "192.0.2.9", "127.0.0.1 http"),
    ],
)
async def test_only_trusted_peers_set_the_address_and_protocol(options, forwarded, expected):
    handler = handler_of(get=lambda self: self.write(f"{self.request.remote_ip} {self.request.protocol}"))
    async with serving(Application([("/", handler)]), **options) as server:
        response = await server.fetch("/", f"X-Forwarded-For: {forwarded}", "X-Forwarded-Proto: https")
        assert response.body.decode() == expected


@pytest.mark.parametrize(("proxies", "expected"), [(["unix"], "192.0.2.9"), (["0.0.0.0/0"], "0.0.0.0")])
async def test_peers_on_a_unix_socket(tmp_path, monkeypatch, proxies, expected):
    monkeypatch.chdir(tmp_path)
    handler = handler_of(get=lambda self: self.write(self.request.remote_ip))
    listener = bind_unix_socket("s")
    async with serving(Application([("/", handler)]), listener=listener, trusted_proxies=proxies) as server:
        assert (await server.fetch("/", "X-Forwarded-For: 192.0.2.9")).body.decode() == expected
