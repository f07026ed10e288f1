"""``request.get_ssl_certificate()`` from the notes, with client certificates."""

from __future__ import annotations

import ssl

import pytest

from tests.support.server import handler_of, serving
from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application


def show(self):
    certificate = self.request.get_ssl_certificate()
    if certificate is None:
        self.write("none")
        return
    der = self.request.get_ssl_certificate(binary_form=True)
    names = [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]
    self.write({"names": names, "same": ssl.DER_cert_to_PEM_cert(der).startswith("-----BEGIN")})


@pytest.mark.parametrize(
    ("name", "body"), [("ann.example", b'{"names": ["ann.example"], "same": true}'), (None, b"none")]
)
async def test_certificate_of_client(certificates, name, body):
    client = SimpleAsyncHTTPClient(force_instance=True)
    context = certificates.client_context_of(name) if name else certificates.client_context

    class Asking:
        server_context = certificates.client_cert_context
        client_context = context

    async with serving(Application([("/", handler_of(get=show))]), tls=Asking) as server:
        request = HTTPRequest(f"https://127.0.0.1:{server.port}/", ssl_options=context)
        assert (await client.fetch(request)).body == body
    client.close()


async def test_no_certificate_without_tls():
    async with serving(Application([("/", handler_of(get=show))])) as server:
        assert (await server.fetch("/")).body == b"none"
