"""Target: request lines, status lines and authorities."""

import re

from tornado._wire.errors import HTTPInputError
from tornado._wire.start_line import (
    RequestLine,
    StatusLine,
    check_authority,
    match_origin_form,
    parse_request_line,
    parse_status_line,
    status_line,
)


def request_line(line: str) -> RequestLine | None:
    """Return the parsed request line, or None if it is rejected."""
    try:
        return parse_request_line(line)
    except HTTPInputError:
        return None


def TestOneInput(data: bytes) -> None:
    """Check that the fast path agrees with the slow path, and that no part of the line is changed."""
    line = data.decode("latin-1")
    # RFC 9110 section 2.5: a higher minor version is treated as 1.1.
    known = re.sub(r"\AHTTP/1\.[2-9](?= )|HTTP/1\.[2-9]\Z", "HTTP/1.1", line)
    read, short = request_line(line), match_origin_form(line)
    if short is not None and not line.endswith("\r"):
        assert read is not None
        assert short.groups() == (read.method, read.target, read.version)
    if read is not None:
        assert f"{read.method} {read.raw_target} {read.version}" == known
        assert request_line(line.replace(read.raw_target, read.target, 1)) is not None
        assert (match_origin_form(known) is not None) is (read.raw_target[0] == "/")
        if read.authority is not None:
            check_authority(read.authority)
            assert read.authority in read.raw_target
    try:
        status: StatusLine = parse_status_line(line)
    except HTTPInputError:
        return
    assert status_line(*status).decode("latin-1").strip() == known.strip()
