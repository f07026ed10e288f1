"""Target: HTTP dates."""

from tornado._wire.dates import format_http_date, parse_http_date


def TestOneInput(data: bytes) -> None:
    """Check that formatting a parsed date and parsing it again returns the same time."""
    timestamp = parse_http_date(data.decode("latin-1"), now=0)
    if timestamp is not None:
        assert parse_http_date(format_http_date(timestamp)) == timestamp
