"""Heads of requests: what is known from before is read as it was the first time."""

from tornado._wire import heads
from tornado._wire.errors import HTTPInputError
from tornado._wire.fields import request_memos
from tornado._wire.h1 import Reader, RequestHead, Role
from tornado._wire.headers import HTTPHeaders


def first_head(data: bytes) -> object:
    """What the first request in `data` says, None if it is not complete, or its refusal."""
    reader = Reader(Role.SERVER)
    try:
        head = reader.receive_request(data) or reader.next_event()
    except HTTPInputError as error:
        return error.status_code, str(error)
    return (
        {name: getattr(head, name) for name in RequestHead.__slots__}
        if isinstance(head, RequestHead)
        else None
    )


def TestOneInput(data: bytes) -> None:
    """Read `data` with nothing known, then twice more; the mapping of its fields is a valid one."""
    heads.known_heads.clear()
    heads._known_lines.clear()
    for memo in request_memos.values():
        memo.clear()
    first = first_head(data)
    for _ in range(2):
        assert first_head(data) == first
    if isinstance(first, dict):
        fields = HTTPHeaders._from_block(first["headers_block"])
        again = HTTPHeaders.parse(first["headers_block"])
        assert list(fields.get_all()) == list(again.get_all())
