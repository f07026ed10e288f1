"""Queries and urlencoded bodies."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.forms import parse_urlencoded


def TestOneInput(data: bytes) -> None:
    """Bytes and their latin-1 text are the same form, and a limit on fields holds."""
    fields = parse_urlencoded(data)
    assert parse_urlencoded(data.decode("latin-1")) == fields
    try:
        few = parse_urlencoded(data, 10)
    except HTTPInputError:
        return
    assert sum(map(len, few.values())) <= 10
