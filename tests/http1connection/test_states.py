"""The tables of transitions, and the states that ``repr()`` shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import serving
from tests.support.states import check_transitions
from tornado import web
from tornado._wire.state_machine import State
from tornado.http1connection._states import (
    TRANSITIONS,
    ConnectionState,
    ExchangeState,
    InputState,
    OutputState,
    PipelineState,
)

KINDS: list[type[State]] = [ConnectionState, PipelineState, ExchangeState, InputState, OutputState]
#: The states in which an object may begin, if there are several.
INITIAL: dict[type[State], list[State]] = {OutputState: [OutputState.IDLE, OutputState.UNSENT]}


def test_every_state_has_a_row():
    assert list(TRANSITIONS) == [state for kind in KINDS for state in kind]


@pytest.mark.parametrize("kind", KINDS)
def test_only_transitions_in_the_table_are_allowed(kind: type[State]) -> None:
    check_transitions(TRANSITIONS, kind, *INITIAL.get(kind, []))


async def test_repr_of_connection_and_exchange_shows_states():
    texts: list[str] = []
    exchanges: list[Any] = []

    class Handler(web.RequestHandler):
        async def get(self) -> None:
            connection: Any = self.request.connection
            exchanges.append(connection)
            texts.append(repr(connection))
            self.write("a")
            await self.flush()
            texts.append(repr(connection))
            texts.append(repr(connection.driver))

    async with serving(web.Application([("/", Handler)])) as server:
        assert (await server.fetch("/")).body == b"a"
    opened, begun, connection = texts
    assert opened == "<HTTP1Connection OPEN, <MessageInput COMPLETE>, <MessageOutput IDLE, no length>>"
    assert begun == "<HTTP1Connection OPEN, <MessageInput COMPLETE>, <MessageOutput BODY, chunked>>"
    assert connection.startswith("<HTTP1ServerConnection SERVING, ADVANCING, <HTTP1Connection OPEN")
    assert repr(exchanges[0]).startswith("<HTTP1Connection FINISHED")
