"""Target: server-sent events."""

from tornado._wire.sse import EventTooLarge, Parser, serialize_event


def read(data: bytes, step: int) -> tuple[list[object], object, object]:
    """Return the events of a stream that arrives in pieces of `step` bytes."""
    parser = Parser(max_line=200, max_event=400)
    events: list[object] = []
    try:
        for start in range(0, len(data), step):
            parser.receive_data(data[start : start + step])
    except EventTooLarge:
        events.append("too large")
    while (event := parser.next_event()) is not None:
        events.append(event)
    return sorted(events, key=repr), parser.last_event_id, parser.retry


def TestOneInput(data: bytes) -> None:
    """Check that events do not depend on the split of the input, and that each can be serialized and
    parsed.
    """
    whole = read(data, max(len(data), 1))
    if "too large" not in whole[0]:
        assert whole == read(data, 1)
    parser = Parser()
    parser.receive_data(data)
    while (event := parser.next_event()) is not None:
        again = Parser()
        again.receive_data(serialize_event(event.data, event.event, event.id))
        assert again.next_event() == event
