"""Brokers of each kind, with empty servers."""

from __future__ import annotations

import pytest

KINDS = ("memory", "redis", "nats")


def broker_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of the broker whose kind is the parameter of a fixture; its server is started empty."""
    if request.param == "memory":
        return "memory:"
    server = request.getfixturevalue(f"{request.param}_server")
    if request.param == "nats":
        server.restart_empty()
    else:
        server.start()
        server.flush()
    url: str = server.url
    return url
