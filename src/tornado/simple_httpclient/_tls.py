"""TLS contexts for requests, cached by their options."""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any

from tornado import netutil
from tornado.netutil._tls import add_file_names_to_errors


def client_context(
    validate_cert: bool, ca_certs: str | None, client_cert: str | None, client_key: str | None
) -> ssl.SSLContext:
    """Return a context for the TLS arguments of a request.

    Creating a context takes milliseconds, because it reads the system's certificates. Contexts are therefore
    cached until one of the files changes.
    """
    if validate_cert and ca_certs is None and client_cert is None and client_key is None:
        shared: ssl.SSLContext = netutil._client_ssl_defaults
        return shared
    files = (ca_certs, client_cert, client_key)
    return _make_context(validate_cert, *files, tuple(map(_modified, files)))


@functools.lru_cache(maxsize=32)
def _make_context(
    validate_cert: bool,
    ca_certs: str | None,
    client_cert: str | None,
    client_key: str | None,
    modified: tuple[int | None, ...],
) -> ssl.SSLContext:
    with add_file_names_to_errors(ca_certs=ca_certs):
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_certs)
    if not validate_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert is not None:
        with add_file_names_to_errors(client_cert=client_cert, client_key=client_key):
            context.load_cert_chain(client_cert, client_key)
    return context


def _modified(file: str | None) -> int | None:
    try:
        return None if file is None else os.stat(file).st_mtime_ns
    except OSError:
        return None  # the error is raised when the file is opened


def context_of(ssl_options: dict[str, Any]) -> ssl.SSLContext:
    """Return a context for an ``ssl_options`` dictionary, cached like those of `client_context`.

    :raises ValueError: if options are unknown or contradictory.
    :raises OSError: if a file cannot be read.
    """
    try:
        items = tuple(sorted(ssl_options.items()))
        files = tuple(_modified(ssl_options.get(name)) for name in ("certfile", "keyfile", "ca_certs"))
        return _context_of_items(items, files)
    except TypeError:  # a value is not hashable, or the keys cannot be sorted
        return netutil.ssl_options_to_context(ssl_options, server_side=False)


@functools.lru_cache(maxsize=32)
def _context_of_items(items: tuple[tuple[str, Any], ...], modified: tuple[int | None, ...]) -> ssl.SSLContext:
    return netutil.ssl_options_to_context(dict(items), server_side=False)
