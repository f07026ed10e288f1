"""Target: Range fields."""

from tornado._wire.ranges import parse_range


def TestOneInput(data: bytes) -> None:
    """Check that a range with two positions is a valid slice."""
    found = parse_range(data.decode("latin-1"))
    if found is not None and None not in found:
        start, end = found
        assert start is not None
        assert end is not None
        assert 0 <= start < end
