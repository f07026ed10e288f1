"""``netutil.ssl_match_hostname``: checking the host name of a certificate, as in Tornado 4."""

from __future__ import annotations

import re
import ssl

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import stream_pair
from tornado import netutil

pytestmark = pytest.mark.filterwarnings("ignore:netutil.ssl_match_hostname:DeprecationWarning")


def certificate(*names):
    return {"subject": ((("commonName", "common.example"),),), "subjectAltName": names}


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        (("DNS", "example.com"), "example.com"),
        (("DNS", "Example.com"), "eXample.COM"),
        (("DNS", "example.com"), "example.com."),
        (("DNS", "*.example.com"), "www.example.com"),
        (("IP Address", "127.0.0.1"), "127.0.0.1"),
        (("IP Address", "0:0:0:0:0:0:0:1\n"), "::1"),
    ],
)
def test_matching_names_are_accepted(name, hostname):
    netutil.ssl_match_hostname(certificate(("email", "x@y"), ("DNS", "other.example"), name), hostname)


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        (("DNS", "example.com"), "www.example.com"),
        (("DNS", "*.example.com"), "example.com"),
        (("DNS", "*.example.com"), ".example.com"),
        (("DNS", "*.example.com"), "a.b.example.com"),
        (("DNS", "w*.example.com"), "www.example.com"),
        (("DNS", "www.*.com"), "www.example.com"),
        (("DNS", "*.com"), "example.com"),
        (("DNS", "*"), "example"),
        (("DNS", "127.0.0.1"), "127.0.0.1"),
        (("IP Address", "127.0.0.1"), "127.0.0.2"),
        (("DNS", "example.com"), "common.example"),
    ],
)
def test_names_that_do_not_match(name, hostname):
    with pytest.raises(
        netutil.SSLCertificateError, match=re.escape(f"the certificate is valid for {name[1]!r}")
    ):
        netutil.ssl_match_hostname(certificate(name), hostname)


def test_certificate_without_names_and_empty_certificate():
    with pytest.raises(ssl.CertificateError, match="is valid for no names"):
        netutil.ssl_match_hostname(certificate(), "common.example")
    with pytest.raises(ValueError, match="CERT_REQUIRED"):
        netutil.ssl_match_hostname({}, "example.com")


async def test_certificate_of_a_connection_is_checked(certificates: Certificates):
    async with stream_pair("tls", certificates) as (_, client):
        with pytest.warns(DeprecationWarning, match="check_hostname"):
            netutil.ssl_match_hostname(client.socket.getpeercert(), "localhost")
        with pytest.raises(netutil.SSLCertificateError, match="'localhost'"):
            netutil.ssl_match_hostname(client.socket.getpeercert(), "example.com")
