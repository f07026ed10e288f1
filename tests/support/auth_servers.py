"""Debian's lighttpd and Apache with files that require digest authentication."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.nginx import reserve
from tests.support.tools import need

REALM = "the realm"
USER, PASSWORD = "user", "Circle of Life"

_LIGHTTPD = """
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error.log"
server.modules = ("mod_auth", "mod_authn_file")
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "{folder}/users"
auth.require = (
    "/md5" => ("method" => "digest", "realm" => "{realm}", "require" => "valid-user", "algorithm" => "MD5"),
    "/sha256" => ("method" => "digest", "realm" => "{realm}", "require" => "valid-user", "algorithm" =>
    "SHA-256"), "/both" => ("method" => "digest", "realm" => "{realm}", "require" => "valid-user", "algorithm"
=> "SHA-256|MD5"), )
"""

_APACHE = """
ServerName localhost
ServerRoot "{folder}"
PidFile "{folder}/apache.pid"
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_digest_module {modules}/mod_auth_digest.so
ErrorLog "{folder}/error.log"
DocumentRoot "{folder}"
<Location "/md5">
    AuthType Digest
    AuthName "{realm}"
    AuthDigestProvider file
    AuthUserFile "{folder}/users"
    Require valid-user
</Location>
"""


def _prepare(folder: Path) -> None:
    for name in ("md5", "sha256", "both"):
        (folder / name).write_text(f"the content of {name}")
    lines = []
    for algorithm in ("md5", "sha256"):
        key = hashlib.new(algorithm, f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
        lines.append(f"{USER}:{REALM}:{key}")
    (folder / "users").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[int]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=30).close()
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
                raise AssertionError(f"{command[0]} exited:\n{log.read_text()}")
            assert time.monotonic() < end, f"{command[0]} is not listening:\n{log.read_text()}"
        yield port
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def running_lighttpd(folder: Path) -> Iterator[int]:
    """Run lighttpd in the foreground; the value is its port."""
    program = need("lighttpd", "lighttpd")
    _prepare(folder)
    with reserve() as reserved:
        port = reserved.getsockname()[1]
        configuration = folder / "lighttpd.conf"
        configuration.write_text(_LIGHTTPD.format(folder=folder, port=port, realm=REALM))
        with _running([program, "-D", "-f", str(configuration)], port, folder / "error.log") as running:
            yield running


@contextlib.contextmanager
def running_apache(folder: Path) -> Iterator[int]:
    """Run Apache in the foreground; the value is its port."""
    program = need("apache2", "apache2")
    _prepare(folder)
    user = ""
    if os.geteuid() == 0:
        user = "User www-data\nGroup www-data"
        folder.chmod(0o755)
        for parent in list(folder.parents)[:-1]:
            if parent.stat().st_uid == os.geteuid() and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
    with reserve() as reserved:
        port = reserved.getsockname()[1]
        configuration = folder / "apache.conf"
        configuration.write_text(
            _APACHE.format(
                folder=folder, port=port, realm=REALM, modules="/usr/lib/apache2/modules", user=user
            )
        )
        command = [program, "-f", str(configuration), "-DFOREGROUND"]
        with _running(command, port, folder / "error.log") as running:
            yield running
