"""Errors that OpenSSL attributes to the wrong connection.

OpenSSL keeps the errors of a thread in a queue. From OpenSSL 3.5 on, a failed send also adds the error of
the system call (EPIPE, ECONNRESET), and CPython does not remove it. The next call on another connection of
the thread that would block then seems to fail with this error, and so do all that follow. Without
countermeasures, a client that resets its connection ends the connections of others.

Therefore a call that fails with an error of the system is repeated after the queue was cleared
(`repeat_failed`), and every code that ignores such an error clears the queue (`clear_queue`), because other
code of the program may use TLS in the same thread.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any


@functools.cache
def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def clear_queue() -> None:
    """Remove all errors from this thread's queue. This takes about 20 microseconds.

    The ssl module has no function for that, but the call of one that fails does it.
    """
    try:
        _context().set_ciphers("-")
    except ssl.SSLError:
        pass


def repeat_failed(error: OSError, call: Any, *args: Any) -> Any:
    """Repeat a call on a TLS socket that has failed, unless the error is certain to be its own.

    :param error: the error of the first call, which is raised if the call fails again, or if a receive
        returns nothing without a close_notify, as it does after a reset.
    :param call: a method of the TLS socket.
    :returns: the result of the second call.
    :raises ssl.SSLWantReadError: or `ssl.SSLWantWriteError`, if the call would block.
    """
    try:
        if isinstance(error, ssl.SSLError):  # CPython removes these from the queue
            raise error
        clear_queue()
        try:
            result = call(*args)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            clear_queue()
            raise error from None
        if (result == 0 or result == b"") and is_truncated(getattr(call, "__self__", None)):
            raise error
        return result
    finally:
        del (
            error
        )  # otherwise the error and this frame, which its traceback contains, would refer to each other


def is_truncated(sock: object) -> bool:
    """Whether the input of a TLS socket, which was read to its end, ended without a close_notify."""
    if not isinstance(sock, ssl.SSLSocket):
        return False
    # By default, SSLSocket reports a truncated stream as a normal end. If this attribute is false, another
    # read raises an error instead.
    clear_queue()
    tls: Any = sock
    suppress = tls.suppress_ragged_eofs
    tls.suppress_ragged_eofs = False
    try:
        return bool(tls.recv(1))
    except (OSError, ValueError):
        clear_queue()
        return True
    finally:
        tls.suppress_ragged_eofs = suppress
