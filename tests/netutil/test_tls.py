"""TLS contexts created from dictionaries of options."""

from __future__ import annotations

import socket
import ssl
import struct
import traceback

import pytest

from tests.support.streams import socket_pair
from tornado import netutil
from tornado.netutil import ssl_options_to_context, ssl_wrap_socket


def test_context_is_returned_unchanged():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert ssl_options_to_context(context) is context


def test_server_context_requires_no_client_certificate(certificates):
    options = {"certfile": str(certificates.certificate_file), "keyfile": str(certificates.key_file)}
    context = ssl_options_to_context(options, server_side=True)
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER
    assert context.verify_mode == ssl.CERT_NONE
    assert context.options & ssl.OP_NO_COMPRESSION


def test_client_verifies_by_default():
    context = ssl_options_to_context({}, server_side=False)
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_client_without_verification():
    context = ssl_options_to_context({"cert_reqs": ssl.CERT_NONE}, server_side=False)
    assert not context.check_hostname
    assert context.verify_mode == ssl.CERT_NONE


def test_ca_certs_are_loaded(certificates):
    options = {"ca_certs": str(certificates.ca_file), "cert_reqs": ssl.CERT_REQUIRED}
    context = ssl_options_to_context(options, server_side=True)
    assert len(context.get_ca_certs()) == 1


def test_ciphers_are_restricted():
    context = ssl_options_to_context({"ciphers": "ECDHE+AESGCM"}, server_side=True)
    assert all("GCM" in cipher["name"] or "TLS_" in cipher["name"] for cipher in context.get_ciphers())


def test_context_without_server_side_warns():
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = ssl_options_to_context({})
    assert context.verify_mode == ssl.CERT_NONE


def test_invalid_options_are_named(certificates):
    with pytest.raises(ValueError, match=r"unknown ssl_options \['certificate'\]: the supported .*certfile"):
        ssl_options_to_context({"certificate": "x"}, server_side=True)
    with pytest.raises(ValueError, match='"keyfile" but not "certfile"'):
        ssl_options_to_context({"keyfile": str(certificates.key_file)}, server_side=True)
    with pytest.raises(TypeError, match="got str"):
        ssl_options_to_context("server.pem", server_side=True)  # type: ignore[arg-type]


def test_invalid_files_are_named(certificates, tmp_path):
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    with pytest.raises(ssl.SSLError, match=f"cannot use certfile '{text}': "):
        ssl_options_to_context({"certfile": str(text)}, server_side=True)
    options = {"certfile": str(certificates.certificate_file), "keyfile": str(text)}
    with pytest.raises(ssl.SSLError, match=f"cannot use certfile '.*' and keyfile '{text}': "):
        ssl_options_to_context(options, server_side=True)
    with pytest.raises(FileNotFoundError, match="cannot use ca_certs '/none': No such file"):
        ssl_options_to_context({"ca_certs": "/none"}, server_side=False)


def test_default_contexts_are_created_once():
    assert netutil._client_ssl_defaults is netutil._client_ssl_defaults
    assert netutil._client_ssl_defaults.check_hostname
    assert netutil._server_ssl_defaults.verify_mode == ssl.CERT_NONE
    with pytest.raises(AttributeError, match="no attribute '_nothing'"):
        _ = netutil._nothing


def test_socket_of_a_reset_connection_is_closed(certificates):
    """wrap_socket() moves the descriptor to an object that it then drops, which causes a ResourceWarning."""
    ours, theirs = socket_pair("tcp")
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    with pytest.raises(ConnectionResetError) as caught:
        ssl_wrap_socket(
            ours,
            certificates.client_context,
            server_hostname="localhost",
            do_handshake_on_connect=False,
        )
    sockets = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(caught.tb)]
    (made,) = {sock for sock in sockets if isinstance(sock, ssl.SSLSocket)}
    assert made.fileno() == -1
