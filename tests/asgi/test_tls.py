"""The ``tls`` extension, with a client certificate."""

from __future__ import annotations

import json
from types import SimpleNamespace

from tests.asgi.conftest import show_scope
from tests.support.server import serving
from tornado.asgi import ASGIContainer
from tornado.asgi._tls import tls_extension


async def test_client_certificate(certificates):
    contexts = SimpleNamespace(
        server_context=certificates.client_cert_context,
        client_context=certificates.client_context_of("example.org"),
    )
    async with serving(ASGIContainer(show_scope), tls=contexts) as server:
        peer = await server.connect()
        tls = [json.loads((await peer.fetch("/")).body)["extensions"]["tls"] for _ in range(2)]
    assert tls[0] == tls[1]
    (certificate,) = tls[0]["client_cert_chain"]
    assert certificate.startswith("-----BEGIN CERTIFICATE-----")
    assert tls[0]["client_cert_name"].startswith("OU=")


class FakeSocket:
    """A socket whose peer has a certificate with a given subject."""

    def __init__(self, subject):
        self._subject = subject
        self.context = SimpleNamespace(get_ciphers=list)

    def getpeercert(self, binary_form=False):
        return b"" if binary_form else {"subject": self._subject}

    def version(self):
        return "TLSv1.2"

    def cipher(self):
        return ("unknown", "TLSv1.2", 128)


def test_special_characters_of_a_name_are_escaped():
    subject = (
        (("countryName", "DE"),),
        (("organizationName", "A, B + C"), ("userId", "#1")),
        (("commonName", " x "),),
    )
    found = tls_extension(FakeSocket(subject))
    assert found["client_cert_name"] == r"CN=\ x\ ,O=A\, B \+ C+UID=\#1,C=DE"
    assert (found["tls_version"], found["cipher_suite"]) == (0x0303, None)


def test_closed_connection():
    class Closed(FakeSocket):
        def getpeercert(self, binary_form=False):
            raise ValueError("closed")

    found = tls_extension(Closed(()))
    assert (found["client_cert_chain"], found["client_cert_name"], found["tls_version"]) == ([], None, None)
