"""Redirect targets that a request names: only paths on this site are followed."""

from __future__ import annotations

import re

# One slash, then anything but a slash or backslash: browsers read "//host" and "/\host" as another site. They
# also drop tabs and line ends from a URL, so control characters are refused wherever they stand.
_LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


def is_local_path(target: str) -> bool:
    r"""Whether a redirect to `target` stays on this site: a path that begins with one slash.

    >>> is_local_path("/account?tab=1"), is_local_path("//example.com/"), is_local_path("/\\example.com")
    (True, False, False)
    """
    return _LOCAL_PATH.fullmatch(target) is not None
