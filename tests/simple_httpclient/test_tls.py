"""TLS contexts of requests."""

from __future__ import annotations

import os
import shutil
import ssl

import pytest

from tornado import netutil
from tornado.simple_httpclient._tls import client_context


def test_default_options_share_one_context():
    assert client_context(True, None, None, None) is netutil._client_ssl_defaults


def test_certificate_is_not_verified():
    context = client_context(False, None, None, None)
    assert context.verify_mode == ssl.CERT_NONE
    assert not context.check_hostname
    assert client_context(False, None, None, None) is context


def test_files_that_change_are_read_again(certificates, tmp_path):
    file = tmp_path / "ca.pem"
    shutil.copy(certificates.ca_file, file)
    context = client_context(True, str(file), None, None)
    assert len(context.get_ca_certs()) == 1
    assert client_context(True, str(file), None, None) is context
    os.utime(file, ns=(1, 1))
    assert client_context(True, str(file), None, None) is not context


def test_client_certificate_must_exist(certificates):
    client_context(True, None, str(certificates.certificate_file), str(certificates.key_file))
    with pytest.raises(FileNotFoundError, match="cannot use client_cert '/none': "):
        client_context(True, None, "/none", None)
