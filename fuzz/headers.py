"""Header fields as text."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import HTTPHeaders


def TestOneInput(data: bytes) -> None:
    """What is accepted is the same after a round trip."""
    try:
        headers = HTTPHeaders.parse(data.decode("latin-1"))
    except HTTPInputError:
        return
    again = HTTPHeaders.parse(headers._serialize().decode("latin-1"))
    assert list(again.get_all()) == list(headers.get_all())
