"""The interface of streams for the protocols that own them."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.support.streams import Recorder
from tornado.iostream import IOStream, PushStream, SSLIOStream, StreamConsumer, Transport


def members(interface: Any) -> set[str]:
    """Return the names that a Protocol class defines, including those of its bases."""
    classes = [each for each in interface.__mro__ if each.__module__.startswith("tornado.")]
    return {
        name
        for each in classes
        for name in (*vars(each), *vars(each).get("__annotations__", ()))
        if not name.startswith("_")
    }


async def test_streams_have_all_members() -> None:
    left, right = socket.socketpair()
    stream = IOStream(left)
    with right:
        assert [name for name in members(PushStream) if not hasattr(stream, name)] == []
    stream.close()
    assert issubclass(SSLIOStream, IOStream)


def test_transport_is_a_part_of_push_stream() -> None:
    assert members(Transport) < members(PushStream)


@pytest.mark.parametrize("name", sorted(members(StreamConsumer)))
def test_consumers_have_all_methods(name: str) -> None:
    assert callable(getattr(Recorder(), name))
