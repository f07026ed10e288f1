"""The ``callback`` arguments of streams: for reads, writes, connecting and the TLS handshake.

A callback is called in a later event loop iteration, if the operation succeeds. If the stream closes first,
only its close callback is called. An exception in a callback closes the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tornado._tornado4.deprecation import deprecated

#: The result of a streaming read that ended before all bytes were read.
_TRUNCATED = object()


def read(
    stream: Any, start: Callable[..., asyncio.Future[Any]], first: Any, option: Any, callback: Any
) -> Any:
    """Start a read and pass its result to a callback.

    :param start: the stream's method, called as ``start(first, option)``.
    :param option: the option of the method. If it is callable, it is the callback, passed at the position
        that it had in Tornado 4, and ``callback`` is the option.
    :returns: None.
    """
    if callable(option):
        option, callback = callback, option
    _warn(start)
    # This function returns None as in Tornado 4, because handlers return its result.
    _deliver(stream, start(first, option), callback)


def read_bytes(stream: Any, count: int, partial: Any, callback: Any, streaming_callback: Any) -> Any:
    """Call ``read_bytes`` with callbacks."""
    if streaming_callback is None:
        return read(stream, stream.read_bytes, count, partial, callback)
    return _streamed(stream, stream.read_bytes, _read_pieces(stream, count, streaming_callback), callback)


def read_until_close(stream: Any, callback: Any, streaming_callback: Any) -> Any:
    """Call ``read_until_close`` with callbacks."""
    if streaming_callback is None:
        _warn(stream.read_until_close)
        _deliver(stream, stream.read_until_close(), callback)
        return None
    return _streamed(
        stream, stream.read_until_close, _read_pieces(stream, None, streaming_callback), callback
    )


def connect(stream: Any, address: Any, server_hostname: Any, callback: Any) -> Any:
    """Call ``connect`` with a callback; the order in Tornado 4 was ``address, callback, server_hostname``."""
    if callable(server_hostname):
        server_hostname, callback = callback, server_hostname
    return tell(stream, stream.connect, stream.connect(address, server_hostname), callback)


def wait_for_handshake(stream: Any, callback: Any) -> Any:
    """Call ``wait_for_handshake`` with a callback."""
    return tell(stream, stream.wait_for_handshake, stream.wait_for_handshake(), callback)


def tell(stream: Any, method: Callable[..., Any], future: asyncio.Future[Any], callback: Any) -> Any:
    """Call ``callback()`` when ``future``, the result of a write or of connecting, has succeeded."""
    _warn(method)
    _deliver(stream, future, lambda _result: callback())


def _warn(method: Callable[..., Any]) -> None:
    name = method.__name__
    deprecated(f"IOStream.{name}(callback=...)", f"await the Future that {name}() returns")


def _streamed(stream: Any, method: Callable[..., Any], pieces: Any, callback: Any) -> Any:
    deprecated(
        f"IOStream.{method.__name__}(streaming_callback=...)",
        "call read_bytes(..., partial=True) in a loop",
    )
    task = asyncio.ensure_future(pieces, loop=stream.io_loop.asyncio_loop)
    if callback is None:
        return task
    _deliver(stream, task, callback)
    return None


async def _read_pieces(stream: Any, count: int | None, streaming_callback: Callable[[bytes], Any]) -> Any:
    """Read ``count`` bytes, or until the stream closes, and pass each part to ``streaming_callback``."""
    while count is None or count > 0:
        size = stream.read_chunk_size if count is None else min(count, stream.read_chunk_size)
        try:
            piece = await stream.read_bytes(size, partial=True)
        except Exception:  # the stream has closed
            return b"" if count is None else _TRUNCATED
        if count is not None:
            count -= len(piece)
        _call(stream, streaming_callback, piece)
    return b""


def _deliver(stream: Any, future: asyncio.Future[Any], callback: Callable[[Any], Any]) -> None:
    def done(future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        if isinstance(future, asyncio.Task):
            result = future.result()  # raises an exception of the streaming callback
        elif future.exception() is not None:
            return  # the close callback reports the error
        else:
            result = future.result()
        if result is not _TRUNCATED:
            _call(stream, callback, result)

    stream.io_loop.add_future(future, done)


def _call(stream: Any, callback: Callable[[Any], Any], value: Any) -> None:
    try:
        callback(value)
    except Exception:
        # The data was not processed, so it would be lost if reading continued.
        stream.close(exc_info=True)
        raise
