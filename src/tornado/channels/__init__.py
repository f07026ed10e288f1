"""Channels: the same messages to many clients, in any number of processes.

A `Hub` publishes messages and distributes them to the receivers of its process. Its broker connects the
processes: `MemoryBroker` for a single process, `RedisBroker` for several processes and hosts.

Messages within a channel have an order and a `Position`. A receiver that continues at a position gets every
later message once, and a `Gap` in place of messages that are no longer available.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado.channels._broker import Broker, BrokerListener, Page
from tornado.channels._errors import BrokerUnavailableError, ChannelError, PublishError
from tornado.channels._hub import Hub
from tornado.channels._memory import MemoryBroker
from tornado.channels._presence import Presence, PresenceChange
from tornado.channels._receivers import Receiver, ReceiverGroup
from tornado.channels._redis import RedisBroker
from tornado.channels._subscription import Subscription
from tornado.channels._values import Gap, History, Message, Position

__all__ = [
    "Broker",
    "BrokerListener",
    "BrokerUnavailableError",
    "ChannelError",
    "Gap",
    "History",
    "Hub",
    "MemoryBroker",
    "Message",
    "Page",
    "Position",
    "Presence",
    "PresenceChange",
    "PublishError",
    "Receiver",
    "ReceiverGroup",
    "RedisBroker",
    "Subscription",
]

export(globals())
