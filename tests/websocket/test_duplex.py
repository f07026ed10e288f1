"""A stream is a duplex as it stands."""

from __future__ import annotations

import inspect

from tornado.iostream import IOStream, SSLIOStream
from tornado.websocket._duplex import Duplex


def test_streams_have_all_that_is_asked_for() -> None:
    here = inspect.getfile(Duplex)
    methods = {name for name, each in inspect.getmembers(Duplex, inspect.isfunction)}
    wanted = {name for name in methods if inspect.getfile(getattr(Duplex, name)) == here}
    assert {"_end_output", "_send", "_start_push", "close"} <= wanted
    for stream in (IOStream, SSLIOStream):
        for name in wanted | {"_output", "_pending_output", *Duplex.__annotations__}:
            assert hasattr(stream, name), name
