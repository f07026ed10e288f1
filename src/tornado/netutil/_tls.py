"""Creates TLS contexts from Tornado's option dictionaries, and wraps sockets for TLS."""

from __future__ import annotations

import contextlib
import functools
import ssl
import traceback
from collections.abc import Iterator, Mapping
from socket import socket as Socket
from typing import Any

#: The keys that an ``ssl_options`` dictionary may have.
OPTION_NAMES = ("ssl_version", "certfile", "keyfile", "cert_reqs", "ca_certs", "ciphers")


def ssl_options_to_context(
    ssl_options: dict[str, Any] | ssl.SSLContext, server_side: bool | None = None
) -> ssl.SSLContext:
    """Create an `ssl.SSLContext` from a dictionary of options.

    :param ssl_options: a dictionary with any of ``ssl_version``, ``certfile``, ``keyfile``, ``cert_reqs``,
        ``ca_certs`` (a file of trusted certificates) and ``ciphers``; or a context, which is returned
        unchanged.
    :param server_side: True for a server's context, False for a client's. With None the context can be used
        for both, but the `ssl` module then verifies no certificates by default and issues a
        DeprecationWarning.
    :raises ValueError: for an unknown key, and for contradictory options.
    :raises OSError: (`ssl.SSLError`, FileNotFoundError) if a file cannot be read or is not valid.

    A client's context verifies the server's certificate and name, unless ``cert_reqs`` is `ssl.CERT_NONE`.
    Without ``ca_certs`` it trusts the system's certificate authorities.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    _check_option_names(ssl_options)
    context = ssl.SSLContext(ssl_options.get("ssl_version", _protocol(server_side)))
    if ssl_options.get("certfile") is not None:
        with add_file_names_to_errors(certfile=ssl_options["certfile"], keyfile=ssl_options.get("keyfile")):
            context.load_cert_chain(ssl_options["certfile"], ssl_options.get("keyfile"))
    elif ssl_options.get("keyfile") is not None:
        raise ValueError('ssl_options has the key "keyfile" but not "certfile": add the certificate file')
    if "cert_reqs" in ssl_options:
        if ssl_options["cert_reqs"] == ssl.CERT_NONE:
            context.check_hostname = False  # otherwise the next assignment raises ValueError
        context.verify_mode = ssl_options["cert_reqs"]
    if ssl_options.get("ca_certs") is not None:
        with add_file_names_to_errors(ca_certs=ssl_options["ca_certs"]):
            context.load_verify_locations(ssl_options["ca_certs"])
    elif server_side is False and context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if ssl_options.get("ciphers") is not None:
        context.set_ciphers(ssl_options["ciphers"])
    context.options |= ssl.OP_NO_COMPRESSION  # prevents the CRIME attack
    return context


@contextlib.contextmanager
def add_file_names_to_errors(**files: Any) -> Iterator[None]:
    """Add the option and the file name to an error in the block, because OpenSSL's messages contain neither.

    :param files: the options whose values are file names.
    """
    try:
        yield
    except OSError as error:
        named = " and ".join(f"{key} {str(file)!r}" for key, file in files.items() if file is not None)
        error.strerror = f"cannot use {named}: {error.strerror or error}"
        raise


def _protocol(server_side: bool | None) -> int:
    if server_side is None:
        return ssl.PROTOCOL_TLS
    return ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT


def _check_option_names(ssl_options: Mapping[str, Any]) -> None:
    if not isinstance(ssl_options, Mapping):
        raise TypeError(
            "ssl_options must be a dict or an ssl.SSLContext, "
            f"got {type(ssl_options).__name__}: {ssl_options!r}"
        )
    unknown = [name for name in ssl_options if name not in OPTION_NAMES]
    if unknown:
        raise ValueError(f"unknown ssl_options {unknown}: the supported keys are {', '.join(OPTION_NAMES)}")


@functools.cache
def default_context(server_side: bool) -> ssl.SSLContext:
    """Return the context for connections without ``ssl_options``. It is created once per process."""
    purpose = ssl.Purpose.CLIENT_AUTH if server_side else ssl.Purpose.SERVER_AUTH
    return ssl.create_default_context(purpose)


def ssl_wrap_socket(
    socket: Socket,
    ssl_options: dict[str, Any] | ssl.SSLContext,
    server_hostname: str | None = None,
    server_side: bool | None = None,
    **kwargs: Any,
) -> ssl.SSLSocket:
    """Wrap a connected socket for TLS.

    :param ssl_options: as for `ssl_options_to_context`.
    :param server_hostname: (client) the name to send to the server (SNI) and to verify its certificate
        against.
    :param server_side: whether this is the server side of the connection; by default it is the client side.
    :param kwargs: further arguments for `ssl.SSLContext.wrap_socket`, such as ``do_handshake_on_connect``.
    """
    context = ssl_options_to_context(ssl_options, server_side)
    try:
        return context.wrap_socket(
            socket, server_side=bool(server_side), server_hostname=server_hostname, **kwargs
        )
    except OSError as error:
        _close_wrapped(error)
        raise


def _close_wrapped(error: OSError) -> None:
    """Close the TLS socket of a wrap_socket() call that failed.

    CPython moves the descriptor to a new object. If the connection has been reset, CPython drops that object
    without closing it, which causes a ResourceWarning. Only the frames in the error's traceback still refer
    to the object.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        wrapped = frame.f_locals.get("self")
        if isinstance(wrapped, ssl.SSLSocket):
            wrapped.close()
