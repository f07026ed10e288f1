"""Target: the opening handshake of WebSockets. Any fields must be accepted or raise `HandshakeError`."""

from tornado._wire.ws_deflate import DeflatePolicy
from tornado._wire.ws_errors import HandshakeError
from tornado._wire.ws_extensions import format_extension, parse_extensions
from tornado._wire.ws_handshake import check_request, check_response

POLICY = DeflatePolicy(server_max_window_bits=12, client_max_window_bits=11)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Fields:
    """Header fields, as a list of lines for each name."""

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """Return the lines of a field, joined; None for a missing field."""
        lines = self._values.get(name.lower())
        return ",".join(lines) if lines else None

    def get_list(self, name: str) -> list[str]:
        """Return all lines of a field."""
        return self._values[name.lower()]


def TestOneInput(data: bytes) -> None:
    """Check a handshake. The lines of `data` are the key, the version, the subprotocols and the
    extensions.
    """
    key, version, protocol, *extensions = (data.decode("latin-1") + "\n\n\n").split("\n")
    fields = Fields(
        {
            "upgrade": ["websocket"],
            "connection": ["Upgrade"],
            "sec-websocket-key": [key],
            "sec-websocket-version": [version],
            "sec-websocket-protocol": [protocol],
            "sec-websocket-extensions": extensions,
            "sec-websocket-accept": [key],
        }
    )
    try:
        offer = check_request("GET", "HTTP/1.1", fields)
        agreed = offer.deflate(POLICY)
        assert agreed is None or agreed[0].server_max_window_bits <= 12
    except HandshakeError:
        pass
    try:
        check_response(101, fields, KEY, ["chat"], POLICY)
    except HandshakeError:
        pass
    try:
        found = parse_extensions(extensions)
    except HandshakeError:
        return
    assert parse_extensions([", ".join(map(format_extension, found))]) == found
