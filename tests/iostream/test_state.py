"""The states of streams: the table of transitions, and what happens to streams in each state."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import Recorder, record_states, reset, run_loop_iterations, state, stream_pair
from tornado._wire.state_machine import InvalidTransition
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.iostream._state import (
    CLOSED_STATES,
    CONNECTED_STATES,
    INPUT_ENDED_STATES,
    OPENING_STATES,
    RECEIVING_STATES,
    TRANSITIONS,
    StreamState,
    StreamStep,
)

S = StreamState

# -- the table --


@pytest.mark.parametrize("step", StreamStep)
@pytest.mark.parametrize("before", StreamState)
def test_only_steps_of_the_table_are_possible(before: StreamState, step: StreamStep) -> None:
    after = TRANSITIONS[before].get(step)
    if after is not None:
        assert before.after[step] is after
    else:
        with pytest.raises(InvalidTransition, match=f"{before} does not permit {step}"):
            before.after[step]


def test_every_state_is_reachable_and_can_be_closed() -> None:
    reached = {S.OPEN, S.UNCONNECTED}
    while new := {after for state in reached for after in TRANSITIONS[state].values()} - reached:
        reached |= new
    assert reached == set(S)
    assert {state for state in S if StreamStep.CLOSE not in TRANSITIONS[state]} == CLOSED_STATES


def test_every_state_belongs_to_one_phase() -> None:
    phases = [OPENING_STATES, CONNECTED_STATES, CLOSED_STATES]
    assert sorted(state.name for phase in phases for state in phase) == sorted(state.name for state in S)


def test_repr_shows_the_state() -> None:
    async def run() -> list[str]:
        left, right = socket.socketpair()
        with right:
            stream = IOStream(left)
            shown = [repr(stream)]
            stream.close()
            return [*shown, repr(stream)]

    before, after = asyncio.run(run())
    assert before.startswith("<IOStream open, ")
    assert after.startswith("<IOStream closed, ")


# -- opening --

_CLOSED = [S.CLOSING, S.CLOSED]


async def _serve_tls(peer: IOStream, certificates: Certificates) -> IOStream:
    try:
        return await peer.start_tls(True, certificates.server_context)
    except (OSError, StreamClosedError):
        return peer


async def _serve_garbage(peer: IOStream, certificates: Certificates) -> IOStream:
    await peer.write(b"garbage " * 100)
    return peer


async def _serve_eof(peer: IOStream, certificates: Certificates) -> IOStream:
    await peer.write_eof()
    return peer


async def _serve_reset(peer: IOStream, certificates: Certificates) -> IOStream:
    await run_loop_iterations()  # the client is connected by now
    reset(peer)
    return peer


async def _serve_nothing(peer: IOStream, certificates: Certificates) -> IOStream:
    return peer


Server = Callable[[IOStream, Certificates], Awaitable[IOStream]]


def _do_nothing(stream: IOStream) -> None:
    pass


def _close(stream: IOStream) -> None:
    stream.close()


def _end_output(stream: IOStream) -> None:
    stream.write_eof()


def _start_push(stream: IOStream) -> None:
    stream.start_push(Recorder())


#: The kind of stream, the peer's behaviour (None: the port is closed), what the program does after connect(),
#: and the states that follow.
OPENINGS: list[tuple[str, Server | None, Callable[[IOStream], None], list[StreamState]]] = [
    ("plain", _serve_nothing, _do_nothing, [S.CONNECTING, S.OPEN]),
    ("plain", None, _do_nothing, [S.CONNECTING, *_CLOSED]),
    ("plain", _serve_nothing, _close, [S.CONNECTING, *_CLOSED]),
    ("plain", _serve_nothing, _end_output, [S.CONNECTING, S.OPEN, S.OUTPUT_ENDED]),
    ("plain", _serve_eof, _start_push, [S.CONNECTING, S.OPEN, S.INPUT_ENDED]),
    ("plain", _serve_reset, _start_push, [S.CONNECTING, S.OPEN, S.INPUT_ENDED, *_CLOSED]),
    ("plain", None, _start_push, [S.CONNECTING, *_CLOSED]),
    ("tls", _serve_tls, _do_nothing, [S.CONNECTING, S.HANDSHAKING, S.OPEN]),
    ("tls", None, _do_nothing, [S.CONNECTING, *_CLOSED]),
    ("tls", _serve_garbage, _do_nothing, [S.CONNECTING, S.HANDSHAKING, *_CLOSED]),
    ("tls", _serve_eof, _do_nothing, [S.CONNECTING, S.HANDSHAKING, *_CLOSED]),
    ("tls", _serve_reset, _do_nothing, [S.CONNECTING, S.HANDSHAKING, *_CLOSED]),
    ("tls", _serve_tls, _close, [S.CONNECTING, *_CLOSED]),
    ("tls", _serve_tls, _end_output, [S.CONNECTING, S.HANDSHAKING, S.OPEN, S.OUTPUT_ENDED]),
    ("tls", _serve_garbage, _end_output, [S.CONNECTING, S.HANDSHAKING, *_CLOSED]),
    ("tls", _serve_eof, _start_push, [S.CONNECTING, S.HANDSHAKING, *_CLOSED]),
    ("tls", _serve_tls, _start_push, [S.CONNECTING, S.HANDSHAKING, S.OPEN]),
]


@pytest.mark.parametrize(
    ("stream_kind", "serve", "act", "expected"),
    OPENINGS,
    ids=[
        f"{kind}-{getattr(serve, '__name__', '_refused')[1:]}-{act.__name__[1:]}"
        for kind, serve, act, _ in OPENINGS
    ],
)
async def test_stream_enters_the_expected_states_while_opening(
    loop_kind: str,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    expect_log: Any,
    stream_kind: str,
    serve: Server | None,
    act: Callable[[IOStream], None],
    expected: list[StreamState],
) -> None:
    entered = record_states(monkeypatch)
    sock = socket.socket()
    if stream_kind == "tls":
        stream: IOStream = SSLIOStream(sock, ssl_options=certificates.client_context)
    else:
        stream = IOStream(sock)
    peer = None
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        expect_log("tornado.general", "SSL Error", required=False),
    ):
        address = listener.getsockname()
        if serve is None:
            listener.close()
        try:
            connecting = stream.connect(address, server_hostname="localhost")
            act(stream)
            if serve is not None:
                peer = await serve(IOStream(listener.accept()[0]), certificates)
            await asyncio.wait([connecting])
            while entered[id(stream)][-1] is not expected[-1]:
                await asyncio.sleep(0)
        finally:
            stream.close()
            if peer is not None:
                peer.close()
    states = entered[id(stream)]
    assert states[: len(expected)] == expected
    assert set(states[len(expected) :]) <= CLOSED_STATES


# -- open streams --


class Scenario:
    """An open client stream in push mode, its consumer and its peer. Each method is one event."""

    def __init__(self, stream: IOStream, peer: IOStream) -> None:
        self.stream = stream
        self.peer = peer
        self.replacement: asyncio.Future[SSLIOStream] | None = None
        self.start_consumer()

    def start_consumer(self) -> None:
        self.consumer = Recorder()
        self.stream.start_push(self.consumer)

    def receives(self) -> bool:
        return state(self.stream) in RECEIVING_STATES

    async def data(self) -> None:
        receives = self.receives()
        with contextlib.suppress(StreamClosedError, RuntimeError):
            await self.peer.write(b"data")
        if receives and not self.peer.closed():
            await self.consumer.until(lambda: self.consumer.data.endswith(b"data") or self.ended())
        await run_loop_iterations()

    def ended(self) -> bool:
        return any(event == "eof" or event[0] == "lost" for event in self.consumer.events)

    async def eof(self) -> None:
        receives = self.receives()
        with contextlib.suppress(StreamClosedError):
            await self.peer.write_eof()
        if receives:
            await self.consumer.until(self.ended)

    async def reset(self) -> None:
        receives = self.receives()
        if not self.peer.closed():
            reset(self.peer)
        if receives:
            await self.consumer.until(self.ended)
        await run_loop_iterations()

    async def write_eof(self) -> None:
        with contextlib.suppress(StreamClosedError):
            await self.stream.write_eof()

    async def close(self) -> None:
        self.stream.close()

    async def switch(self) -> None:
        """Return to pull mode, then start another consumer, which receives the end of input again."""
        had_ended = state(self.stream) in INPUT_ENDED_STATES
        self.stream.stop_push()
        self.start_consumer()
        if had_ended:
            await self.consumer.until(self.ended)

    async def suspend(self) -> None:
        """Suspend push mode and resume it."""
        had_ended = state(self.stream) in INPUT_ENDED_STATES
        self.stream.suspend_push(b"")
        self.stream.resume_push()
        if had_ended:
            events = self.consumer.events
            before = events.count("eof")
            await self.consumer.until(lambda: events.count("eof") > before or events[-1][0] == "lost")

    async def detach(self) -> None:
        """Move the socket to another stream."""
        self.stream.stop_push()
        with contextlib.suppress(StreamClosedError, ValueError):
            self.replacement = self.stream.start_tls(False, server_hostname="localhost")

    async def finish(self) -> None:
        self.stream.close()
        self.peer.close()
        if self.replacement is not None:
            await asyncio.wait([self.replacement])
            self.replacement.exception()


#: The state after each event, by the state before it. A state that is not listed does not change.
#: A reset is not noticed after the end of input: no reader is registered until the next write.
EVENTS: dict[str, dict[StreamState, StreamState]] = {
    "data": {},
    "eof": {S.OPEN: S.INPUT_ENDED, S.OUTPUT_ENDED: S.BOTH_ENDED},
    "reset": {S.OPEN: S.CLOSED, S.OUTPUT_ENDED: S.CLOSED},
    "write_eof": {S.OPEN: S.OUTPUT_ENDED, S.INPUT_ENDED: S.BOTH_ENDED},
    "close": dict.fromkeys(CONNECTED_STATES, S.CLOSED),
    "switch": {},
    "suspend": {},
    "detach": {S.OPEN: S.DETACHED, S.INPUT_ENDED: S.DETACHED},
}
#: After the end of output, a reset over TLS is the end of input: OpenSSL 3.0 reports no difference.
TLS_EVENTS = {**EVENTS, "reset": {S.OPEN: S.CLOSED, S.OUTPUT_ENDED: S.BOTH_ENDED}}
#: The events that use a connection, and so close the stream if a reset has not been noticed before.
NOTICES_RESET = {"write_eof", "detach"}


@pytest.mark.parametrize("second", EVENTS)
@pytest.mark.parametrize("first", EVENTS)
async def test_stream_has_the_expected_state_after_two_events(
    loop_kind: str, kind: str, certificates: Certificates, expect_log: Any, first: str, second: str
) -> None:
    with expect_log("tornado.general", "SSL Error", required=False):
        async with stream_pair(kind, certificates, "tcp") as (peer, client):
            scenario = Scenario(client, peer)
            table = TLS_EVENTS if kind == "tls" else EVENTS
            expected = S.OPEN
            for event in (first, second):
                await getattr(scenario, event)()
                expected = table[event].get(expected, expected)
                if (first, event) in {("reset", use) for use in NOTICES_RESET}:
                    expected = S.CLOSED
                assert state(client) is expected, event
                assert client.closed() == (expected in CLOSED_STATES)
            await scenario.finish()
