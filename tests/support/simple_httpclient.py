"""The internals of `tornado.simple_httpclient` that tests access."""

from __future__ import annotations

from tornado.simple_httpclient._connection import ClientConnection, Delivery


def delivery_of(connection: ClientConnection) -> Delivery:
    """Return the state of the delivery to the receiver."""
    return connection._delivery
