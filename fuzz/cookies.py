"""Target: Cookie fields."""

from tornado._wire.cookies import parse_cookie, quote_value, unquote_value


def TestOneInput(data: bytes) -> None:
    """Check that parsing never fails, and that quoting a value and unquoting it returns the value."""
    text = data.decode("latin-1")
    parse_cookie(text)
    assert unquote_value(quote_value(text)) == text
