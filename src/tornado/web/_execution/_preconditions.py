"""The preconditions If-Match and If-Unmodified-Since (RFC 9110 section 13.1), with which a client continues a
download, or changes a resource, only if it is still the one that the client knows.
"""

from __future__ import annotations

import datetime
import re

from tornado._wire.dates import parse_http_date
from tornado._wire.headers import HTTPHeaders

_TAGS = re.compile(r'(?:W/)?"[^"]*"')


def precondition_fails(headers: HTTPHeaders, etag: str | None, modified: datetime.datetime | None) -> bool:
    """Whether a request must be answered with 412 (section 13.2.2, steps 1 and 2).

    :param etag: the current entity tag, in quotes; None if the resource does not exist or has none.
    :param modified: the time of the last change, in UTC if it has no time zone; None if it is not known.
    """
    condition = headers.get("If-Match")
    if condition is not None:
        if condition.strip() == "*":
            return etag is None and modified is None
        # Strong comparison (section 8.8.3.2): a weak tag never matches.
        return etag is None or etag.startswith("W/") or etag not in _TAGS.findall(condition)
    since = headers.get("If-Unmodified-Since")
    if since is None or modified is None:
        return False
    if modified.tzinfo is None:
        modified = modified.replace(tzinfo=datetime.UTC)
    parsed = parse_http_date(since)
    return parsed is not None and modified.timestamp() >= parsed + 1
