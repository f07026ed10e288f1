"""The tables of transitions, and that they are used."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import serving
from tornado import web
from tornado.http1connection._states import (
    TRANSITIONS,
    ConnectionState,
    ExchangeState,
    InputState,
    InvalidTransition,
    OutputState,
    PipelineState,
    State,
)

KINDS: list[type[State]] = [ConnectionState, PipelineState, ExchangeState, InputState, OutputState]
STATES = [state for kind in KINDS for state in kind]


def test_every_state_has_a_row():
    assert list(TRANSITIONS) == STATES


@pytest.mark.parametrize("state", STATES, ids=str)
def test_only_transitions_in_the_table_are_allowed(state: State) -> None:
    for following in type(state):
        if following in TRANSITIONS[state]:
            assert state.to[following] is following
        else:
            with pytest.raises(InvalidTransition, match=f"{state.name} -> {following.name}"):
                state.to[following]


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_reachable(kind: type[State]) -> None:
    initial = next(iter(kind))
    seen = {initial}
    todo = [initial]
    while todo:
        for following in TRANSITIONS[todo.pop()]:
            if following not in seen:
                seen.add(following)
                todo.append(following)
    assert seen | {OutputState.UNSENT} >= set(kind)  # UNSENT is only an initial state


def test_states_of_different_kinds_do_not_mix():
    with pytest.raises(InvalidTransition):
        ConnectionState.SERVING.to[ExchangeState.LOST]


async def test_repr_of_connection_and_exchange_tells_states():
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
