"""The interfaces of receivers, and the delivery to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from tornado.channels._values import Gap, Message
from tornado.log import app_log


class Receiver(Protocol):
    """An object that receives the messages of a channel. It must be hashable."""

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Receive consecutive messages and gaps. It must not wait."""


class ReceiverGroup(Protocol):
    """Delivers to many receivers in one call, for example with `tornado.websocket.broadcast`."""

    def deliver(self, receivers: Collection[Any], items: Sequence[Message | Gap]) -> None:
        """Deliver consecutive messages and gaps to all `receivers`.

        The collection is that of the channel: copy it to keep it, or before receivers are detached. It is a
        tuple with one receiver if the items are the history for this receiver.
        """


class EachReceiver:
    """The group of the receivers that were attached without one."""

    def deliver(self, receivers: Collection[Receiver], items: Sequence[Message | Gap]) -> None:
        """Call `Receiver.deliver` of each receiver. An exception is logged and affects no other receiver."""
        for receiver in list(receivers):
            try:
                receiver.deliver(items)
            except Exception:
                app_log.error("Exception in %r.deliver()", receiver, exc_info=True)


__all__ = ["EachReceiver", "Receiver", "ReceiverGroup"]
