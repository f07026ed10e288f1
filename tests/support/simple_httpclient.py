"""The internals of `tornado.simple_httpclient` that tests access."""

from __future__ import annotations

from tornado.simple_httpclient._connection import ClientConnection, ClientConnectionState, Delivery


def set_state(connection: ClientConnection, state: ClientConnectionState) -> None:
    """Change the state of a connection, as the connection itself does."""
    connection._set_state(state)


def delivery_of(connection: ClientConnection) -> Delivery:
    """Return the state of the delivery to the receiver."""
    return connection._delivery


def set_delivery(connection: ClientConnection, delivery: Delivery) -> None:
    """Change the state of the delivery, as the connection itself does."""
    connection._set_delivery(delivery)


def force_delivery(connection: ClientConnection, delivery: Delivery) -> None:
    """Set the state of the delivery, whatever it was before."""
    connection._delivery = delivery
