"""Target: JSON bodies."""

import json

from tornado.web._errors import InvalidBodyError
from tornado.web._input._json_body import _UNIQUE_DECODER, parse

MAX_DEPTH = 12


def depth(value: object) -> int:
    """Return the nesting depth of arrays and objects."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def TestOneInput(data: bytes) -> None:
    """Check that `parse` agrees with `json.loads`, limits the depth, and raises only `InvalidBodyError`."""
    try:
        value = parse(data, MAX_DEPTH)
    except InvalidBodyError:
        return
    assert value == json.loads(data)
    assert value == _UNIQUE_DECODER.decode(data.decode())  # no duplicate names, no infinite numbers
    assert depth(value) <= MAX_DEPTH
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    assert parse(text.encode(), MAX_DEPTH) == value
