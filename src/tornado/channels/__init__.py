"""Channels: the same messages to many clients, in any number of processes.

A `Hub` publishes messages and distributes them to the receivers of its process. Its broker connects the
processes: `MemoryBroker` for a single process, `RedisBroker` or `NATSBroker` for several processes and hosts.

Messages within a channel have an order and a `Position`. A receiver that continues at a position gets every
later message once, and a `Gap` in place of messages that are no longer available.

`ChannelHandler` serves channels to browsers and other clients, and `connect` is such a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado._public_module_names import export
from tornado.channels._broker import Broker, BrokerListener, Page
from tornado.channels._create_broker import create_broker
from tornado.channels._errors import BrokerUnavailableError, ChannelError, PublishError
from tornado.channels._hub import Hub
from tornado.channels._memory import MemoryBroker
from tornado.channels._nats import NATSBroker
from tornado.channels._pattern_subscription import PatternSubscription
from tornado.channels._presence import Presence, PresenceChange
from tornado.channels._receivers import Receiver, ReceiverGroup
from tornado.channels._redis import RedisBroker
from tornado.channels._subscription import Subscription
from tornado.channels._values import Gap, History, Message, Position
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado.channels._client import ChannelClient, connect
    from tornado.channels._client_state import ChannelRequestError, SubscriptionEnd
    from tornado.channels._endpoint import revoke
    from tornado.channels._handler import ChannelHandler
    from tornado.channels._limits import ClientLimits, SlowPolicy
    from tornado.channels._session_state import Identity

__all__ = [
    "Broker",
    "BrokerListener",
    "BrokerUnavailableError",
    "ChannelClient",
    "ChannelError",
    "ChannelHandler",
    "ChannelRequestError",
    "ClientLimits",
    "Gap",
    "History",
    "Hub",
    "Identity",
    "MemoryBroker",
    "Message",
    "NATSBroker",
    "Page",
    "PatternSubscription",
    "Position",
    "Presence",
    "PresenceChange",
    "PublishError",
    "Receiver",
    "ReceiverGroup",
    "RedisBroker",
    "SlowPolicy",
    "Subscription",
    "SubscriptionEnd",
    "connect",
    "create_broker",
    "revoke",
]

#: Names imported on first use, because they import `tornado.web`, which a publisher does not need.
_LATE = {
    "ChannelClient": "tornado.channels._client",
    "ChannelRequestError": "tornado.channels._client_state",
    "SubscriptionEnd": "tornado.channels._client_state",
    "connect": "tornado.channels._client",
    "ChannelHandler": "tornado.channels._handler",
    "ClientLimits": "tornado.channels._limits",
    "Identity": "tornado.channels._session_state",
    "SlowPolicy": "tornado.channels._limits",
    "revoke": "tornado.channels._endpoint",
}


if not TYPE_CHECKING:  # a type checker would accept every name as an attribute of this module

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, import_object(f"{_LATE[name]}.{name}"))


export(globals(), late=_LATE)
