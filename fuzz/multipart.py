"""Multipart bodies, with the boundary that the first line names."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.multipart import parse_multipart


def TestOneInput(data: bytes) -> None:
    """Take all parts; together they are never larger than the body."""
    boundary = data.partition(b"\r\n")[0][2:]
    try:
        parts = list(parse_multipart(boundary, data))
    except HTTPInputError:
        return
    assert sum(len(content) for _, content in parts) <= len(data)
