"""The states of an event stream."""

from __future__ import annotations

from typing import Any

import pytest

from tornado.web._sse._event_stream import TRANSITIONS, EventStream, StreamState


def stream_in(state: StreamState) -> EventStream:
    handler: Any = object()
    stream = EventStream(handler, handler)
    if state is StreamState.OPEN:
        stream.advance(state)
    elif state is StreamState.ENDED:
        stream.end()
    return stream


@pytest.mark.parametrize("before", StreamState)
@pytest.mark.parametrize("after", StreamState)
def test_transitions_follow_the_table(before: StreamState, after: StreamState) -> None:
    stream = stream_in(before)
    if after in TRANSITIONS[before]:
        stream.advance(after)
        assert repr(stream) == f"<EventStream {after.value}, 0 channels>"
    else:
        with pytest.raises(RuntimeError, match=f"from {before.value} to {after.value}"):
            stream.advance(after)
        assert repr(stream) == f"<EventStream {before.value}, 0 channels>"


@pytest.mark.parametrize("state", StreamState)
def test_ended_stream_refers_to_no_handler(state: StreamState) -> None:
    stream = stream_in(state)
    stream.end()
    stream.end()
    assert (stream.is_ended, stream.is_open, stream.is_slow(), stream.unsent()) == (True, False, False, 0)
    stream.disconnect("nothing happens")
    stream.finish()
    stream.deadline_passed()
