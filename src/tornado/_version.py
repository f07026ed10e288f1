"""The versions of the package, in a module without imports, so that every layer may use them."""

from __future__ import annotations

#: Version of the Tornado API that this package implements.
version: str = "6.6.1"
#: The API version as a tuple. The fourth number is 0 in a release, negative before it and positive after it.
version_info: tuple[int, int, int, int] = (6, 6, 1, 0)
#: Version of Waterspout and of its distribution; it begins with the API version.
waterspout_version: str = "6.6.1+waterspout.0.1"
