"""The exceptions of channels."""

from __future__ import annotations

from tornado._unavailable import UnavailableError


class ChannelError(Exception):
    """The base class of the exceptions of `tornado.channels`."""


class BrokerUnavailableError(ChannelError, UnavailableError):
    """Raised by a broker that cannot be reached, or has not responded in time.

    The operation may have been executed nevertheless. A request that raises it gets status 503.
    """


class PublishError(ChannelError, UnavailableError):
    """Raised by `Hub.publish` if the broker has not confirmed a message by the deadline.

    A request that raises it gets status 503.

    :ivar idempotency_key: the key of this message. The message may have been stored; if it is published
        again with the same key, it is stored only once.
    """

    def __init__(self, message: str, idempotency_key: str) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class ChannelRequestError(ChannelError):
    """Raised in a client if the server refuses a request, and by methods of a `ChannelHandler` to refuse it.

    :param code: the code of the error in the channel protocol, such as ``"forbidden"``, or another one, which
        consists of at most 64 lower-case letters, digits and ``_``.
    :param message: a description for developers.
    :ivar code: the code.
    :ivar reason: the message.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.reason = message


#: What a malformed reply of a broker raises while it is parsed, in a client library or here.
MALFORMED = (ValueError, RecursionError, TypeError, LookupError, AttributeError)

__all__ = ["BrokerUnavailableError", "MALFORMED", "ChannelError", "ChannelRequestError", "PublishError"]
