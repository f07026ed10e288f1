"""Target: queries and urlencoded bodies."""

from unittest import mock

from tornado._wire import urlencoded
from tornado._wire.errors import HTTPInputError
from tornado._wire.urlencoded import parse_urlencoded


def TestOneInput(data: bytes) -> None:
    """Check that bytes and text give the same result, as do the paths for small and large forms, and check
    the limit.
    """
    fields = parse_urlencoded(data)
    assert parse_urlencoded(data.decode("latin-1")) == fields
    with mock.patch.object(urlencoded, "_LARGE", 1):
        assert parse_urlencoded(data) == fields
    try:
        few = parse_urlencoded(data, 10)
    except HTTPInputError:
        return
    assert sum(map(len, few.values())) <= 10
