"""`ServerExchange`: the connection object of a request, as far as the framework uses it.

`.HTTP1Connection` implements it over a stream, and `tornado.asgi` over the events of an ASGI server. Programs
and tests may give handlers any other `.HTTPConnection`: the framework then does without these members.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.httputil._delegates import HTTPConnection

if TYPE_CHECKING:
    from asyncio import Future


def _undefined(exchange: HTTPConnection) -> NotImplementedError:
    return NotImplementedError(f"{type(exchange).__name__} must define all members of ServerExchange")


class ServerExchange(HTTPConnection):
    """The ``request.connection`` of a request that a server of this package has received."""

    #: The callback set by `set_close_callback`.
    close_callback: Callable[[], None] | None
    #: Whether a half-close by the peer counts as a disconnect.
    half_close_disconnects: bool = False
    #: The WebSocket of a request whose handshake the server has performed itself, otherwise None. It has the
    #: attribute ``offer`` and the method ``make_protocol(handler, params)``.
    websocket: Any = None
    #: The event stream or long poll in the response, which a drain of the server ends; None for others.
    drainable: Any = None

    @property
    def is_detached(self) -> bool:
        """Whether the connection has another owner."""
        raise _undefined(self)

    @property
    def ended(self) -> bool:
        """Whether the exchange has ended, so that its writes fail."""
        raise _undefined(self)

    @property
    def unsent_size(self) -> int:
        """The number of bytes of the response that have not been passed to the operating system."""
        raise _undefined(self)

    def is_closed(self) -> bool:
        """Whether nothing can be sent any more, because the connection is closed or has another owner."""
        raise _undefined(self)

    def when_sent(self) -> Future[None]:
        """Return a Future that is done when all output has been passed to the operating system."""
        raise _undefined(self)

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once if the peer disconnects before the end of the exchange."""

    def truncate_body(self) -> None:
        """Let `finish` end the body as it is, so that the peer detects that it is incomplete."""

    def close(self) -> None:
        """Close the connection; output that has not been sent is lost."""


__all__ = ["ServerExchange"]
