"""The base class of exceptions that mean that another service is unavailable.

It is a module of its own because `tornado.channels` raises such exceptions in programs that do not import
`tornado.web`, which responds to them.
"""

from __future__ import annotations


class UnavailableError(Exception):
    """Raised if a service that the program needs cannot be reached. A request that raises it gets status 503.

    It is logged in one line without a traceback, because it is not an error of the program.
    """


__all__ = ["UnavailableError"]
