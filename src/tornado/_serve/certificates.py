"""A TLS context that uses changed certificate files within seconds. Open connections are kept.

Once per second, the state of both files is compared with the previous one (`os.stat`, which follows symbolic
links: certbot and Kubernetes replace a link). After a change both files are read, and the pair is loaded into
a new context, from the bytes that were read, so that a file that changes in the meantime has no effect. If
the pair is valid, new connections use the new context. Connections that have begun keep the old one.

The pair is not loaded into the old context: a context has one certificate for each type of key (RSA, ECDSA),
so the old certificate would stay in use if the new one has a key of another type.

A certificate and its key are usually replaced one after the other, so a pair that does not match is reported
only if the files have not changed for another second.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator

from tornado._serve.configuration import Configuration
from tornado.log import gen_log

#: The time between two checks of the files, in seconds.
CHECK_INTERVAL = 1.0

_State = tuple[tuple[int, int, int, int], ...]


class CertificateError(Exception):
    """The certificate cannot be used. The text is for the user: it names the files."""


class WatchedContext:
    """The TLS context for new connections of a server, and the task that watches its files.

    :param configuration: its ``certificate`` and ``key`` are the names of the files. The key may be None if
        the certificate's file contains it.
    :param administration: whether to use ``admin_certificate`` and ``admin_key`` instead.
    :raises CertificateError: if the files cannot be used.
    :ivar context: the context, another object after each change.
    """

    def __init__(self, configuration: Configuration, *, administration: bool = False) -> None:
        certificate, key = configuration.certificate, configuration.key
        if administration:
            certificate, key = configuration.admin_certificate, configuration.admin_key
        assert certificate is not None
        self._files = [certificate] if key is None else [certificate, key]
        self.context = _new_context()
        self._loaded: list[bytes] = []
        #: The state of the files that was seen last, and whether an error in that state was reported.
        self._state = self._read_state()
        self._pending = False
        try:
            self._load()
        except (OSError, ValueError) as error:
            raise CertificateError(f"cannot use {self._names()}: {_reason(error)}") from None

    async def watch(self, use: Callable[[ssl.SSLContext], object]) -> None:
        """Check the files once per second until this coroutine is cancelled.

        :param use: called with the new context after a change.
        """
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            if self.check():
                use(self.context)

    def check(self) -> bool:
        """Load the files if they have changed.

        :returns: whether `context` is a new one, with another certificate or key.
        """
        state = self._read_state()
        changed = state != self._state
        if not changed and not self._pending:
            return False
        self._state = state
        try:
            loaded = self._load()
        except (OSError, ValueError) as error:
            if not changed:
                gen_log.error(
                    "%s changed, but cannot be used: %s; the previous certificate stays in use",
                    self._names(),
                    _reason(error),
                )
            self._pending = changed
            return False
        self._pending = False
        if loaded:
            gen_log.info("%s changed; new connections use it", self._names())
        return loaded

    def _load(self) -> bool:
        """Load the pair if it differs from the loaded one and is valid; return whether it differs."""
        contents = [_read(file) for file in self._files]
        if contents == self._loaded:
            return False
        context = _new_context()
        with _private_copies(contents) as copies:
            context.load_cert_chain(copies[0], copies[-1], password=_refuse_password)
        self.context, self._loaded = context, contents
        return True

    def _read_state(self) -> _State:
        return tuple(_state_of(file) for file in self._files)

    def _names(self) -> str:
        return " and ".join(
            f"{option} {file!r}"
            for option, file in zip(("the certificate", "the key"), self._files, strict=False)
        )


def _new_context() -> ssl.SSLContext:
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


def _refuse_password() -> str:
    """Refuse a key with a password, for which OpenSSL would otherwise ask on the terminal."""
    raise ValueError("the private key is encrypted; expected a key without a password")


def _read(file: str) -> bytes:
    with open(file, "rb") as opened:
        return opened.read()


def _state_of(file: str) -> tuple[int, int, int, int]:
    try:
        status = os.stat(file)
    except OSError:
        return (0, 0, 0, 0)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def _private_copies(contents: list[bytes]) -> Iterator[list[str]]:
    """Write the contents to files that only this process can read, because OpenSSL reads files only."""
    if sys.platform == "linux" and hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptors: list[int] = []
        try:
            for content in contents:
                descriptors.append(os.memfd_create("certificate"))
                with open(descriptors[-1], "wb", closefd=False) as file:
                    file.write(content)
            yield [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as directory:  # only its owner may enter it
        names = [os.path.join(directory, str(number)) for number in range(len(contents))]
        for name, content in zip(names, contents, strict=True):
            with open(name, "wb") as file:
                file.write(content)
        yield names


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        text = error.reason or str(error)
        if text == "KEY_VALUES_MISMATCH":
            return "the key does not belong to the certificate"
        return f"{text.replace('_', ' ').lower()} (expected PEM files)"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


__all__ = ["CHECK_INTERVAL", "CertificateError", "WatchedContext"]
