"""TLS contexts from Tornado's option dictionaries, and sockets wrapped by them."""

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
    """Make an `ssl.SSLContext` of a dictionary of options.

    :param ssl_options: a dictionary with any of ``ssl_version``, ``certfile``, ``keyfile``, ``cert_reqs``,
        ``ca_certs`` (a file of trusted certificates) and ``ciphers``; or a context, which is returned as it
        is.
    :param server_side: which end of connections the context is for. Without it the context serves either end
        and, as the `ssl` module does then, checks nothing by default and gives a DeprecationWarning.
    :raises ValueError: for a key that is not one of the above, and for contradictory ones.
    :raises OSError: (`ssl.SSLError`, FileNotFoundError) for files that cannot be read or used.

    A client's context checks the server's certificate and name, unless ``cert_reqs`` is `ssl.CERT_NONE`;
    without ``ca_certs`` it trusts what the system trusts.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    _check_names(ssl_options)
    context = ssl.SSLContext(ssl_options.get("ssl_version", _protocol(server_side)))
    if ssl_options.get("certfile") is not None:
        with naming_files(certfile=ssl_options["certfile"], keyfile=ssl_options.get("keyfile")):
            context.load_cert_chain(ssl_options["certfile"], ssl_options.get("keyfile"))
    elif ssl_options.get("keyfile") is not None:
        raise ValueError('ssl_options has "keyfile" but no "certfile"')
    if "cert_reqs" in ssl_options:
        if ssl_options["cert_reqs"] == ssl.CERT_NONE:
            context.check_hostname = False  # else the next line is refused
        context.verify_mode = ssl_options["cert_reqs"]
    if ssl_options.get("ca_certs") is not None:
        with naming_files(ca_certs=ssl_options["ca_certs"]):
            context.load_verify_locations(ssl_options["ca_certs"])
    elif server_side is False and context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if ssl_options.get("ciphers") is not None:
        context.set_ciphers(ssl_options["ciphers"])
    context.options |= ssl.OP_NO_COMPRESSION  # CRIME
    return context


@contextlib.contextmanager
def naming_files(**files: Any) -> Iterator[None]:
    """Have an error say which option and which file it is about: OpenSSL's own tell neither.

    :param files: the options that name files, with their values.
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


def _check_names(ssl_options: Mapping[str, Any]) -> None:
    if not isinstance(ssl_options, Mapping):
        raise TypeError(
            "ssl_options must be a dict or an ssl.SSLContext, "
            f"not a {type(ssl_options).__name__}: {ssl_options!r}"
        )
    unknown = [name for name in ssl_options if name not in OPTION_NAMES]
    if unknown:
        raise ValueError(f"unknown ssl_options {unknown}: the keys are {', '.join(OPTION_NAMES)}")


@functools.cache
def default_context(server_side: bool) -> ssl.SSLContext:
    """The context for connections that came without ``ssl_options``, made once a process."""
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
    :param server_hostname: (client) the name to ask for and to check the certificate against.
    :param server_side: which end this is; the client's by default.
    :param kwargs: further arguments of `ssl.SSLContext.wrap_socket`, such as ``do_handshake_on_connect``.
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

    CPython moves the descriptor to a new object and drops that without closing it where the connection has
    been reset: a ResourceWarning. Only the error's frames refer to it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()
