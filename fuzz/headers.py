"""Target: header sections as text."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import HTTPHeaders


def TestOneInput(data: bytes) -> None:
    """Check that serializing accepted fields and parsing them again returns the same fields."""
    try:
        headers = HTTPHeaders.parse(data.decode("latin-1"))
    except HTTPInputError:
        return
    again = HTTPHeaders.parse(headers._serialize().decode("latin-1"))
    assert list(again.get_all()) == list(headers.get_all())
