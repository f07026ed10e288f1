"""`Extension`: the interface by which authentication, cookies, retries and hooks take part in a fetch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from tornado import httputil
from tornado._wire.h1 import ResponseHead
from tornado.httpclient import HTTPRequest

__all__ = ["MAX_FOLLOW_UPS", "Extension", "ExtensionFactory", "FollowUp"]

#: Maximum number of further hops that the extensions of one fetch may request, redirects not included.
MAX_FOLLOW_UPS = 20


class FollowUp(NamedTuple):
    """Another hop of a fetch, which replaces the response or the error that the fetch would end with.

    :ivar request: the request to send.
    :ivar delay: seconds to wait before sending it.
    """

    request: HTTPRequest
    delay: float = 0.0


class Extension(Protocol):
    """An object that takes part in one fetch. It is created for that fetch and may keep state."""

    def prepare(
        self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders
    ) -> Awaitable[object] | None:
        """Change the header fields of a hop before they are sent.

        :param request: the request of the hop.
        :param target: the path and query of the request, as in the request line.
        :param headers: the header fields to send.
        :returns: None, or an awaitable. The request is sent when the awaitable is done.
        """

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Process the head of a response, including a redirect, and return the next hop or None.

        If there is another hop, the body of this response is discarded.
        """

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Process the error that a hop has ended with, and return the next hop, or None to report the error.

        This is not called for errors that the program's callbacks, request body or settings have caused.
        """


#: Returns the extension for a request with the client's defaults filled in, or None if none is needed.
ExtensionFactory = Callable[[HTTPRequest], Extension | None]
