"""Short runs of the random tests; ``scripts/compliance channels`` runs them for longer."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from compliance.channels.clients import ClientsModel
from compliance.channels.cuts import run_cuts
from compliance.channels.model import Model
from compliance.channels.outage import run_outage
from compliance.channels.restart import run_restart
from tests.support.databases import NATSServer, RedisServer
from tests.support.server import ExpectLog

LOST = "(Redis|NATS) at .* (is (lost|restored|established)|cannot be reached)|No connection to the channels"


@pytest.mark.deadline(90)
@pytest.mark.parametrize("seed", [1, 2])
async def test_random_operations(redis_server: RedisServer, expect_log: ExpectLog, seed: int) -> None:
    redis_server.start()
    redis_server.flush()
    model = Model(redis_server, seed)
    with expect_log("tornado.general", LOST, required=False):
        await model.run(150)
    assert model.problems == []
    assert sum(client.messages for client in model.clients) > 100


@pytest.mark.deadline(150)
@pytest.mark.parametrize("broker", ["redis", "nats"])
async def test_random_operations_on_whole_clients(
    request: pytest.FixtureRequest, expect_log: ExpectLog, tmp_path: Path, broker: str
) -> None:
    server: RedisServer | NATSServer = request.getfixturevalue(f"{broker}_server")
    server.stop()
    server.remove_data()
    server.start()
    model = ClientsModel(server, 1, tmp_path, None, clients=45)
    left = "Task (was destroyed|exception was never)|socket.send.. raised"  # by nats-py, for lost connections
    with expect_log("tornado.general", LOST, required=False), expect_log("asyncio", left, required=False):
        await model.run(200, 200, lambda line: None)
        gc.collect()
    assert model.record.problems == []
    assert model.record.messages > 1000


@pytest.mark.deadline(60)
@pytest.mark.parametrize("transport", ["websocket", "stream", "poll"])
async def test_connections_that_are_cut_lose_nothing(
    redis_server: RedisServer, tmp_path: Path, transport: str
) -> None:
    redis_server.start()
    redis_server.flush()
    result = await run_cuts(redis_server.url, tmp_path, transport, 50, 3.0, 40.0, 1)
    assert result.problems == []
    assert result.received == result.expected >= 120 * 20
    # A connection that is cut before it has sent its request has not moved.
    assert min(result.moves, result.cuts) >= 40


@pytest.mark.deadline(90)
async def test_gaps_of_an_outage_contain_what_is_lost(
    redis_server: RedisServer, expect_log: ExpectLog, tmp_path: Path
) -> None:
    redis_server.start()
    with expect_log("tornado.general", LOST):
        result = await run_outage(redis_server, tmp_path, 20, 1.0)
    assert result.problems == []
    assert result.missed > 0
    assert len(result.delays) == 4


@pytest.mark.deadline(60)
async def test_rolling_restart_loses_nothing(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.start()
    redis_server.flush()
    result = await run_restart(redis_server.url, tmp_path, 200, 50.0, before=0.5)
    assert result.problems == []
    assert result.received == result.expected > 100
    # A client can connect to the worker that is replaced next, and then connects again.
    assert result.reconnected >= 200
    assert result.codes == {1012: result.reconnected}
