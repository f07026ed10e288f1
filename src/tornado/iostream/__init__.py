"""Streams: non-blocking reading and writing on sockets and pipes.

`BaseIOStream`
    what all streams have: `~BaseIOStream.read_until` and its like, `~BaseIOStream.write`, closing. Subclass
    it for another kind of descriptor.
`IOStream`
    a socket, connected already or by `~IOStream.connect`; `~IOStream.start_tls` goes on with TLS.
`SSLIOStream`
    a TLS socket, client's or server's.
`PipeIOStream`
    one end of a pipe.

Reads and writes give Futures::

    async def ask(address: tuple[str, int], question: bytes) -> bytes:
        stream = IOStream(socket.socket())
        await stream.connect(address)
        await stream.write(question + b"\n")
        answer = await stream.read_until(b"\n", max_bytes=4096)
        stream.close()
        return answer

A stream that was closed, by either side, raises `StreamClosedError`; a read with ``max_bytes`` that finds
no match closes it with an `UnsatisfiableReadError`, and a buffer over its limit raises
`StreamBufferFullError`.

Streams belong to the loop that was current when they were made, and are not thread-safe.
"""

from __future__ import annotations

import typing

from tornado._export import export
from tornado._reexports import reexport
from tornado.iostream._base import BaseIOStream
from tornado.iostream._errors import _ERRNO_CONNRESET as _ERRNO_CONNRESET
from tornado.iostream._errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from tornado.iostream._pipe import PipeIOStream
from tornado.iostream._push_mode import StreamConsumer as StreamConsumer
from tornado.iostream._socket import IOStream
from tornado.iostream._tls import SSLIOStream
from tornado.iostream._tls_over_tls import TLSOverTLSStream as TLSOverTLSStream
from tornado.iostream._write_buffer import _StreamBuffer as _StreamBuffer

if typing.TYPE_CHECKING:
    import unittest

__all__ = [
    "BaseIOStream",
    "IOStream",
    "PipeIOStream",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
]


def doctests() -> unittest.TestSuite:
    """The examples in this package's docstrings, as a test suite."""
    import doctest

    return doctest.DocTestSuite(__name__)


export(globals(), module="tornado.iostream")
reexport(globals())
