"""Validation of redirect targets from requests: only paths on this site are allowed."""

from __future__ import annotations

import re

# One slash that is not followed by a slash or backslash: for browsers, "//host" and "/\host" are another
# site. Browsers also remove tabs and line breaks from a URL, so control characters are rejected everywhere.
_LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


def is_local_path(target: str) -> bool:
    r"""Whether a redirect to `target` stays on this site: a path that begins with one slash.

    >>> is_local_path("/account?tab=1"), is_local_path("//example.com/"), is_local_path("/\\example.com")
    (True, False, False)
    """
    return _LOCAL_PATH.fullmatch(target) is not None
