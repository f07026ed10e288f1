"""A short run of the random test against a model; ``scripts/compliance channels`` runs it for longer."""

from __future__ import annotations

import pytest

from compliance.channels.model import Model


@pytest.mark.deadline(90)
@pytest.mark.parametrize("seed", [1, 2])
async def test_random_operations(redis_server, expect_log, seed):
    redis_server.start()
    redis_server.flush()
    model = Model(redis_server, seed)
    with expect_log("tornado.general", "connection to Redis at .* is (lost|restored)", required=False):
        await model.run(150)
    assert model.problems == []
    assert sum(client.messages for client in model.clients) > 100
