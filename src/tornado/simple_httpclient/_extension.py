"""Where authentication, cookies, retries and a program's own hooks plug into a fetch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from tornado import httputil
from tornado._wire.h1 import ResponseHead
from tornado.httpclient import HTTPRequest

__all__ = ["MAX_FOLLOW_UPS", "Extension", "ExtensionFactory", "FollowUp"]

#: How many further hops the extensions of one fetch may ask for, redirects not included.
MAX_FOLLOW_UPS = 20


class FollowUp(NamedTuple):
    """Another hop of a fetch, in place of the response or the error that it would end with.

    :ivar request: what to send.
    :ivar delay: seconds to wait before.
    """

    request: HTTPRequest
    delay: float = 0.0


class Extension(Protocol):
    """Takes part in one fetch. It is made for that, and may keep what it learns on the way."""

    def prepare(
        self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders
    ) -> Awaitable[object] | None:
        """Change the fields that a hop is about to send.

        :param request: the request of the hop.
        :param target: its path and query, as in the request line.
        :returns: None, or an awaitable: then nothing is sent before it is done.
        """

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Look at the head of a response, of a redirect as well; return the next hop, or None.

        The body of a response that is followed by another hop is discarded.
        """

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Look at the error that a hop has ended with; return the next hop, or None to report the error.

        Not called for errors that the program's own callbacks, body or settings have raised.
        """


#: Makes the extension for a request, which has the client's defaults filled in; None where it has no use.
ExtensionFactory = Callable[[HTTPRequest], Extension | None]
