"""Limits on every size and count in an HTTP/1 message.

The table lists the defaults and the precedent of each:

=======================  =========  ==========================================================================
limit                    default    precedent
=======================  =========  ==========================================================================
`max_head_size`          64 KiB     Tornado's ``max_header_size``; nginx 4 x 8 KiB, Apache 100 x 8 KiB
`max_request_line`       64 KiB     RFC 9112 section 3 recommends at least 8,000; at most `max_head_size`
`max_header_count`       1,000      Apache 100, Node.js 2,000, h2o 100; large proxies add some 30
`max_chunk_line`         4 KiB      Go 4 KiB, h11 and hyper 16 KiB; real extensions are a few bytes
`max_chunk_extensions`   16 KiB     Go and hyper, against floods of tiny chunks (CVE-2023-39326)
`max_trailer_size`       16 KiB     hyper's limit on the data after the last chunk
`max_trailer_count`      100        real messages have one or two trailer fields
`max_body_size`          100 MiB    Tornado's ``max_buffer_size``
`max_length_digits`      19         2**63 has 19 decimal digits
`max_chunk_size_digits`  16         2**64 - 1 has 16 hexadecimal digits; leading zeros count
`max_1xx`                10         Tornado's client
`max_leading_lines`      4          RFC 9112 section 2.2: ignore at least one empty line
=======================  =========  ==========================================================================
"""

from __future__ import annotations

import dataclasses

__all__ = ["DEFAULT", "Limits"]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the sizes, in bytes, and counts in one HTTP/1 message.

    :raises ValueError: if a limit is negative.
    """

    #: The maximum size of the start line and the header section together, including line ends.
    max_head_size: int = 64 * 1024
    #: The maximum size of the request line or status line; 414 is the response to a longer request line.
    max_request_line: int = 64 * 1024
    #: The maximum number of header fields in one head.
    max_header_count: int = 1000
    #: The maximum size of one chunk-size line with its extensions.
    max_chunk_line: int = 4 * 1024
    #: The maximum size of all chunk extensions of one message, in addition to one byte for each sixteen bytes
    #: of content.
    max_chunk_extensions: int = 16 * 1024
    #: The maximum size of all trailer fields of one message together.
    max_trailer_size: int = 16 * 1024
    #: The maximum number of trailer fields in one message.
    max_trailer_count: int = 100
    #: The maximum size of the body after the transfer coding is decoded.
    max_body_size: int = 100 * 1024 * 1024
    #: The maximum number of digits of a Content-Length.
    max_length_digits: int = 19
    #: The maximum number of hexadecimal digits of a chunk size.
    max_chunk_size_digits: int = 16
    #: The maximum number of interim (1xx) responses before a final one.
    max_1xx: int = 10
    #: The maximum number of empty lines before a request line.
    max_leading_lines: int = 4

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} must not be negative, got {getattr(self, field.name)}")


#: The limits that a `Reader` uses by default.
DEFAULT = Limits()
