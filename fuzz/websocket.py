"""Target: WebSocket frames. The events must not depend on how the input is split.

If a connection fails, the reasons are not compared. Compressed data may be corrupt, too long and invalid
UTF-8 at the same time, and the amount of data that has arrived determines which error is detected first.
"""

from tornado._wire.ws_connection import Failed, WSConnection, WSLimits
from tornado._wire.ws_deflate import DeflateParameters

LIMITS = WSLimits(max_message_size=500, max_fragments=8, max_control_frames=1000, inflate_step=64)
AGREED = DeflateParameters(client_max_window_bits=9)


def outcome(data: bytes, size: int, is_client: bool) -> tuple[object, ...]:
    """Return the events, with all failures treated as equal, and the state."""
    connection = WSConnection(LIMITS, (lambda: b"mask") if is_client else None, AGREED)
    events: list[object] = []
    for start in range(0, len(data), size):
        events += connection.receive_data(data[start : start + size])
        while connection.pending:
            events += connection.receive_data(b"")
    shown = [Failed if isinstance(each, Failed) else each for each in events]
    return shown, connection.state, connection.close(1000)


def TestOneInput(data: bytes) -> None:
    """Read `data` as server and as client, and send `data` as a message."""
    for is_client in (False, True):
        whole = outcome(data, len(data) or 1, is_client)
        for size in (1, 7):
            assert outcome(data, size, is_client) == whole, (size, whole, outcome(data, size, is_client))
    sender = WSConnection(LIMITS, lambda: b"mask", AGREED)
    message = data[:500]
    frames = sender.message(message, binary=True) + sender.message(message, binary=True)
    assert outcome(frames, 5, False)[0] == [message, message]
