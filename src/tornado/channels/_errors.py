"""The exceptions of channels."""

from __future__ import annotations


class ChannelError(Exception):
    """The base class of the exceptions of `tornado.channels`."""


class BrokerUnavailableError(ChannelError):
    """Raised by a broker that cannot be reached, or has not responded in time.

    The operation may have been executed nevertheless.
    """


class PublishError(ChannelError):
    """Raised by `Hub.publish` if the broker has not confirmed a message by the deadline.

    :ivar idempotency_key: the key of this message. The message may have been stored; if it is published
        again with the same key, it is stored only once.
    """

    def __init__(self, message: str, idempotency_key: str) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


__all__ = ["BrokerUnavailableError", "ChannelError", "PublishError"]
