"""Target: heads of requests. The fast path must return the result of `parse_request_head`, or None."""

from tornado._wire import heads
from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import Reader, RequestHead, Role
from tornado._wire.headers import HTTPHeaders
from tornado._wire.limits import DEFAULT


def first_head(data: bytes) -> object:
    """Return the attributes of the first request in `data`, None if it is not complete, or its error."""
    reader = Reader(Role.SERVER)
    try:
        head = reader.receive_request(data) or reader.next_event()
    except HTTPInputError as error:
        return error.status_code, str(error)
    return attributes(head) if isinstance(head, RequestHead) else None


def attributes(head: RequestHead) -> dict[str, object]:
    """Return the attributes of a head by name."""
    return {name: getattr(head, name) for name in RequestHead.__slots__}


def TestOneInput(data: bytes) -> None:
    """Read `data` with empty caches and then three more times, and check the mapping of its fields."""
    heads.forget()
    heads.add_fixed_targets(["/", "/a"])
    first = first_head(data)
    for _ in range(3):
        assert first_head(data) == first
        usual = heads.read_usual_head(data, DEFAULT)
        if usual is not None:
            assert attributes(usual) == attributes(heads.parse_request_head(data))
    if isinstance(first, dict):
        fields = HTTPHeaders._from_block(first["headers_block"])
        again = HTTPHeaders.parse(first["headers_block"])
        assert list(fields.get_all()) == list(again.get_all())
