from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import ssl

import pytest
import trustme

from tests.support.serve import configuration_of
from tornado._serve import certificates as module
from tornado._serve.certificates import CertificateError, WatchedContext


class Files:
    """A certificate and its key in files, which a test replaces."""

    def __init__(self, folder):
        self.key_type = trustme.KeyType.ECDSA
        self.folder = folder
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.client_context = ssl.create_default_context()
        self.authority.configure_trust(self.client_context)

    def new_pair(self):
        """Return the texts of a new certificate and its key."""
        made = self.authority.issue_cert("localhost", key_type=self.key_type)
        return b"".join(each.bytes() for each in made.cert_chain_pems), made.private_key_pem.bytes()

    def write(self):
        """Replace both files with a new pair."""
        certificate, key = self.new_pair()
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)

    def watched(self):
        return WatchedContext(configuration_of(f"--certificate={self.certificate}", f"--key={self.key}"))

    def serial(self, context):
        """Return the serial number of the certificate that a server with `context` shows."""
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(to_server, to_client, server_side=True)
        client = self.client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
        for side in (client, server, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        return client.getpeercert()["serialNumber"]


@pytest.fixture
def files(tmp_path):
    files = Files(tmp_path)
    files.write()
    return files


def test_unchanged_files_are_not_read(files, monkeypatch):
    watched = files.watched()
    monkeypatch.setattr(module, "_read", None)
    assert not watched.check()


def test_changed_pair_is_used_by_new_connections(files):
    watched = files.watched()
    context, before = watched.context, files.serial(watched.context)
    files.write()
    assert watched.check()
    assert files.serial(watched.context) != before
    assert files.serial(context) == before  # connections that have begun
    assert not watched.check()


@pytest.mark.parametrize("before", [trustme.KeyType.RSA, trustme.KeyType.ECDSA])
def test_key_of_another_type_replaces_the_old_certificate(files, before):
    """OpenSSL keeps one certificate for each type of key, and clients prefer one of the types."""
    files.key_type = before
    files.write()
    watched = files.watched()
    serial = files.serial(watched.context)
    files.key_type = next(each for each in trustme.KeyType if each is not before)
    files.write()
    assert watched.check()
    assert files.serial(watched.context) != serial


def test_files_with_new_times_and_the_same_content_are_not_a_change(files):
    watched = files.watched()
    os.utime(files.certificate, ns=(1, 1))
    assert not watched.check()


@pytest.mark.parametrize("first", ["certificate", "key"])
def test_pair_that_is_replaced_one_file_after_the_other(files, first):
    watched = files.watched()
    before = files.serial(watched.context)
    certificate, key = files.new_pair()
    writes = [(files.certificate, certificate), (files.key, key)]
    for path, content in writes if first == "certificate" else reversed(writes):
        assert files.serial(watched.context) == before
        path.write_bytes(content)
        changed = watched.check()
    assert changed
    assert files.serial(watched.context) != before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the key does not belong to the certificate"),
        (b"", "expected PEM files"),
        (b"nonsense", "expected PEM files"),
    ],
)
def test_broken_pair_is_logged_once_and_the_old_one_stays_in_use(files, expect_log, content, reason):
    watched = files.watched()
    before = files.serial(watched.context)
    files.key.write_bytes(files.new_pair()[1] if content is None else content)
    assert not watched.check()
    with expect_log(
        "tornado.general", f"changed, but cannot be used: .*{reason}.*; the previous cert"
    ) as found:
        assert not watched.check()
    assert "the certificate '" in found.records[0].getMessage()
    assert not watched.check()
    assert files.serial(watched.context) == before
    files.write()
    assert watched.check()
    assert files.serial(watched.context) != before


def test_missing_files_are_logged_and_used_again_when_they_are_back(files, expect_log):
    watched = files.watched()
    files.certificate.unlink()
    watched.check()
    with expect_log("tornado.general", "cannot be used: No such file or directory"):
        watched.check()
    files.write()
    assert watched.check()


def test_key_with_a_password_is_refused_without_a_question(files):
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(files.key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"password")
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    with pytest.raises(CertificateError, match="private key is encrypted; expected a key without a password"):
        files.watched()


@pytest.mark.parametrize("layout", ["certbot", "kubernetes"])
def test_replaced_symbolic_links_are_followed(files, layout):
    """certbot replaces the link of each file, Kubernetes the link of the directory."""
    versions = []
    for number in range(2):
        folder = files.folder / f"version{number}"
        folder.mkdir()
        files.write()
        shutil.move(files.certificate, folder / files.certificate.name)
        shutil.move(files.key, folder / files.key.name)
        versions.append(folder)
    current = files.folder / "current"
    if layout == "kubernetes":
        current.symlink_to(versions[0])
        files.certificate.symlink_to(current / files.certificate.name)
        files.key.symlink_to(current / files.key.name)
    else:
        files.certificate.symlink_to(versions[0] / files.certificate.name)
        files.key.symlink_to(versions[0] / files.key.name)
    watched = files.watched()
    before = files.serial(watched.context)
    assert not watched.check()
    links = [current] if layout == "kubernetes" else [files.certificate, files.key]
    for link in links:
        new = files.folder / "new"
        new.symlink_to(versions[1] if layout == "kubernetes" else versions[1] / link.name)
        new.rename(link)
    assert watched.check()
    assert files.serial(watched.context) != before


def test_one_file_may_contain_both(files):
    both = files.folder / "both.pem"
    both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
    watched = WatchedContext(configuration_of(f"--certificate={both}"))
    before = files.serial(watched.context)
    both.write_bytes(b"".join(files.new_pair()))
    assert watched.check()
    assert files.serial(watched.context) != before


def test_pair_without_descriptors_in_memory(files, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    watched = files.watched()
    assert files.serial(watched.context)
    assert sorted(os.listdir(files.folder)) == ["certificate.pem", "key.pem"]


def test_wrong_pair_at_the_start_is_an_error(files):
    files.key.write_bytes(files.new_pair()[1])
    with pytest.raises(
        CertificateError,
        match="cannot use the certificate '.*e.pem' and the key '.*key.pem': the key does not belong",
    ):
        files.watched()


async def test_changes_are_found_within_two_seconds(files, clock):
    watched = files.watched()
    before = files.serial(watched.context)
    used = []
    watching = asyncio.create_task(watched.watch(used.append))
    files.write()
    await asyncio.sleep(2)
    assert [files.serial(context) != before for context in used] == [True]
    watching.cancel()
    await asyncio.wait([watching])
