"""Streams: non-blocking reading and writing on sockets and pipes.

`BaseIOStream`
    the methods that all streams have: `~BaseIOStream.read_until` and the other read methods,
    `~BaseIOStream.write`, `~BaseIOStream.close`. Subclass it to support another kind of file descriptor.
`IOStream`
    a stream over a socket that is already connected, or that `~IOStream.connect` connects.
    `~IOStream.start_tls` upgrades the connection to TLS.
`SSLIOStream`
    a stream over a TLS socket, for clients and servers.
`PipeIOStream`
    a stream over one end of a pipe.

Reads and writes return Futures::

    async def query(address: tuple[str, int], request: bytes) -> bytes:
        stream = IOStream(socket.socket())
        await stream.connect(address)
        await stream.write(request + b"\n")
        response = await stream.read_until(b"\n", max_bytes=4096)
        stream.close()
        return response

Operations on a closed stream raise `StreamClosedError`, whichever side closed it. A read that finds no match
within ``max_bytes`` closes the stream with an `UnsatisfiableReadError`. An operation that would make a buffer
exceed its maximum size raises `StreamBufferFullError`.

A stream belongs to the event loop that was current when it was created. Streams are not thread-safe.
"""

from __future__ import annotations

import typing

from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado.iostream._errors import _ERRNO_CONNRESET as _ERRNO_CONNRESET
from tornado.iostream._errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from tornado.iostream._interface import PushStream as PushStream
from tornado.iostream._interface import StreamConsumer as StreamConsumer
from tornado.iostream._interface import Transport as Transport
from tornado.iostream._pipe import PipeIOStream
from tornado.iostream._pull_mode import BaseIOStream
from tornado.iostream._streams import IOStream, SSLIOStream
from tornado.iostream._streams import TLSOverTLSStream as TLSOverTLSStream
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
    """Return the examples in this package's docstrings as a test suite."""
    import doctest

    return doctest.DocTestSuite(__name__)


export(globals(), module="tornado.iostream")
reexport(globals())
