"""The broker that a URL names."""

from __future__ import annotations

import pytest

from tornado.channels import MemoryBroker, NATSBroker, RedisBroker, create_broker


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("memory:", MemoryBroker, "MemoryBroker"),
        ("redis://:secret@h:1/2", RedisBroker, "h:1, database 2"),
        ("rediss://h", RedisBroker, "h:6379, database 0"),
        ("unix:///run/redis.sock", RedisBroker, "/run/redis.sock"),
        ("nats://a:1,nats://b:2", NATSBroker, "NATSBroker"),
        ("tls://a", NATSBroker, "NATSBroker"),
    ],
)
def test_broker_of_a_url(url, kind, shown):
    broker = create_broker(url)
    assert type(broker) is kind
    assert shown in repr(broker)
    assert "secret" not in repr(broker)


def test_options_are_those_of_the_class():
    assert create_broker("redis://h", timeout=7).timeout == 7
    assert type(create_broker()) is MemoryBroker
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds, got -1"):
        create_broker("nats://h", timeout=-1)
    with pytest.raises(TypeError):
        create_broker("memory:", timeout=1)


@pytest.mark.parametrize("url", ["", "http://user:secret@h", "h:6379", "memory"])
def test_unknown_scheme(url):
    with pytest.raises(
        ValueError, match="the URL of a broker must begin with memory:, redis://.* got"
    ) as error:
        create_broker(url)
    assert "secret" not in str(error.value)
