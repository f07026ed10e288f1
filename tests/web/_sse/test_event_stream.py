"""The states of an event stream."""

from __future__ import annotations

from typing import Any

import pytest

from tornado._wire.state_machine import InvalidTransition
from tornado.web._sse._event_stream import TRANSITIONS, EventStream, EventStreamState


def stream_in(state: EventStreamState) -> EventStream:
    handler: Any = object()
    stream = EventStream(handler, handler)
    if state is EventStreamState.OPEN:
        stream.advance(state)
    elif state is EventStreamState.ENDED:
        stream.end()
    return stream


@pytest.mark.parametrize("before", EventStreamState)
@pytest.mark.parametrize("after", EventStreamState)
def test_transitions_follow_the_table(before: EventStreamState, after: EventStreamState) -> None:
    stream = stream_in(before)
    if after in TRANSITIONS[before]:
        stream.advance(after)
        assert repr(stream) == f"<EventStream {after.value}, 0 channels>"
    else:
        with pytest.raises(InvalidTransition, match=f"{before} does not permit {after}"):
            stream.advance(after)
        assert repr(stream) == f"<EventStream {before.value}, 0 channels>"


@pytest.mark.parametrize("state", EventStreamState)
def test_ended_stream_refers_to_no_handler(state: EventStreamState) -> None:
    stream = stream_in(state)
    stream.end()
    stream.end()
    assert (stream.is_ended, stream.is_open, stream.is_slow(), stream.unsent()) == (True, False, False, 0)
    stream.disconnect("nothing happens")
    stream.finish()
    stream.deadline_passed()
