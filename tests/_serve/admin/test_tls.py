"""The administration over HTTPS, with ``ctl`` and its certificate."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from tests.support.serve import run_command
from tests.support.supervisor import SupervisedService


def write_certificate(authority: trustme.CA, folder: Path, name: str = "admin.pem") -> None:
    made = authority.issue_cert("localhost")
    made.private_key_and_cert_chain_pem.write_to_path(folder / "new.pem")
    os.replace(folder / "new.pem", folder / name)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def service(authority, tmp_path) -> Iterator[SupervisedService]:
    write_certificate(authority, tmp_path)
    options = ("--admin=127.0.0.1:0", "--admin-certificate=admin.pem")
    with SupervisedService(tmp_path, *options) as running:
        yield running


def port_of(service: SupervisedService) -> int:
    return int(service.wait_for(r"administration on https://localhost:(\d+)")[1])


def serial_of(port: int, context: ssl.SSLContext) -> str:
    with closing(http.client.HTTPSConnection("localhost", port, timeout=60, context=context)) as connection:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"live\n")
        serial: str = connection.sock.getpeercert()["serialNumber"]
        return serial


def test_changed_certificate_is_used(service, authority, tmp_path):
    port = port_of(service)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    first = serial_of(port, context)
    write_certificate(authority, tmp_path)
    service.wait_for("the certificate 'admin.pem' changed; new connections use it")
    assert serial_of(port, context) != first
    assert service.stop() == 0


def test_ctl_accepts_the_certificate_of_the_service_only(service, authority, tmp_path):
    port = port_of(service)
    address = f"--admin=127.0.0.1:{port}"
    done = run_command(tmp_path, "ctl", "status", address, "--admin-certificate=admin.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 1 workers serve" in done.stdout
    write_certificate(authority, tmp_path, "other.pem")
    done = run_command(tmp_path, "ctl", "status", address, "--admin-certificate=other.pem")
    assert done.returncode == 1
    assert "the certificate of the service is not that of --admin-certificate" in done.stderr
    done = run_command(tmp_path, "ctl", "status", address, "--admin-certificate=app.py")
    assert done.returncode == 2
    assert "--admin-certificate: cannot read 'app.py': expected a PEM file" in done.stderr
    # A URL is verified as usual.
    url = f"--admin=https://localhost:{port}"
    assert "certificate verify failed" in run_command(tmp_path, "ctl", "status", url).stderr
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    variables = {"SSL_CERT_FILE": "ca.pem"}
    assert run_command(tmp_path, "ctl", "status", url, variables=variables).returncode == 0
    assert service.stop() == 0


def test_wrong_certificate_ends_the_start(tmp_path):
    (tmp_path / "empty.pem").write_text("")
    options = ("--admin=127.0.0.1:0", "--admin-certificate=empty.pem")
    with pytest.raises(AssertionError, match="cannot use the certificate 'empty.pem'"):
        SupervisedService(tmp_path, *options).__enter__()
