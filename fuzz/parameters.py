"""Target: values with parameters, such as a Content-Disposition."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.field_parameters import parse_parameters, split_parameters


def TestOneInput(data: bytes) -> None:
    """Check that parsing never fails, that parts are contained in the text, and that their number is
    limited.
    """
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        parts = list(split_parameters(text))
        assert sum(map(len, parts)) + len(parts) - 1 <= len(text)
        value, found = parse_parameters(text, bare=True)
        assert value == parts[0]
        assert len(found) < max(len(parts), 1)
        try:
            assert len(parse_parameters(text, max_count=3)[1]) <= 3
        except HTTPInputError:
            assert len(parts) > 4
