"""Test `tornado.channels`: ``scripts/compliance channels hubs|clients|cuts|outage|restart [OPTIONS]``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic

from compliance.channels.client import TRANSPORTS
from compliance.channels.clients import BrokerServer, ClientsModel
from compliance.channels.cuts import run_cuts
from compliance.channels.hosts import SecondHost
from compliance.channels.model import Model
from compliance.channels.outage import run_outage
from compliance.channels.restart import run_restart
from tests.support.databases import RedisServer, running_nats, running_redis

ROUNDS_OF_A_RUN = 300
_BROKERS: dict[str, Callable[[], AbstractContextManager[BrokerServer]]] = {
    "redis": running_redis,
    "nats": running_nats,
}


def main() -> int:
    """Return 1 if a test has found a problem."""
    parser = argparse.ArgumentParser(prog="scripts/compliance channels", description=__doc__)
    tests = parser.add_subparsers(dest="test", required=True)
    for name, rounds in (("hubs", 3000), ("clients", 10_000)):
        test = tests.add_parser(name)
        test.add_argument("--rounds", type=int, default=rounds, help="the number of operations")
        test.add_argument("--seed", type=int, default=1, help="the seed of the random choices")
        if name == "clients":
            test.add_argument("--broker", choices=[*_BROKERS, "both"], default="both")
            test.add_argument("--clients", type=int, default=300)
            test.add_argument("--logs", help="a folder for the logs of the workers")
            test.add_argument("--calm", type=int, default=400, help="the number of rounds between two calms")
    test = tests.add_parser("cuts")
    test.add_argument("--broker", choices=[*_BROKERS, "both"], default="redis")
    test.add_argument("--connections", type=int, default=1000)
    test.add_argument("--seconds", type=float, default=60.0, help="the duration")
    test.add_argument("--rate", type=float, default=200.0, help="the number of messages per second")
    test.add_argument("--transport", choices=TRANSPORTS, action="append", help="default: each")
    test.add_argument("--seed", type=int, default=1)
    test = tests.add_parser("outage")
    test.add_argument("--clients", type=int, default=300)
    test = tests.add_parser("restart")
    test.add_argument("--clients", type=int, default=5000)
    test.add_argument("--rate", type=float, default=50.0, help="the number of messages per second")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # lost connections are expected
    functions = {
        "hubs": _test_hubs,
        "clients": _test_clients,
        "cuts": _test_cuts,
        "outage": _test_outage,
        "restart": _test_restart,
    }
    return functions[options.test](options)


def _test_hubs(options: argparse.Namespace) -> int:
    failed = messages = gaps = kills = 0
    runs = max(1, options.rounds // ROUNDS_OF_A_RUN)
    with running_redis() as server:
        for seed in range(options.seed, options.seed + runs):
            server.start()
            server.flush()
            problems, model = asyncio.run(_run_hubs(server, seed))
            for problem in problems:
                print(f"seed {seed}: {problem}")
            failed += bool(problems)
            messages += sum(client.messages for client in model.clients)
            gaps += sum(client.gaps for client in model.clients)
            kills += model.kills
    print(
        f"{runs} runs of {ROUNDS_OF_A_RUN} operations, {failed} failed: "
        f"{messages} messages received, {gaps} gaps, the server killed {kills} times"
    )
    return 1 if failed else 0


async def _run_hubs(server: RedisServer, seed: int) -> tuple[list[str], Model]:
    model = Model(server, seed)
    await model.run(ROUNDS_OF_A_RUN)
    return model.problems, model


def brokers_of(name: str) -> list[str]:
    """Return the brokers that an option names."""
    return [*_BROKERS] if name == "both" else [name]


@contextmanager
def running_broker(name: str) -> Iterator[BrokerServer]:
    """Run a broker that the second host reaches."""
    with _BROKERS[name]() as server:
        server.stop()
        server.bind = "0.0.0.0"
        server.start()
        yield server


def _test_clients(options: argparse.Namespace) -> int:
    found = 0
    missing = SecondHost.missing()
    if missing:
        print(f"no partitions: {missing}")
    for broker in brokers_of(options.broker):
        with running_broker(broker) as server, _folder(options.logs, broker) as folder:
            begin = monotonic()
            if missing:
                model = ClientsModel(server, options.seed, folder, None, options.clients)
                asyncio.run(_run_clients(model, options))
            else:
                with SecondHost() as host:
                    model = ClientsModel(server, options.seed, folder, host, options.clients)
                    asyncio.run(_run_clients(model, options))
            for problem in model.record.problems[:200]:
                print(f"{broker}, seed {options.seed}: {problem}")
            found += len(model.record.problems)
            done = f"{broker}, seed {options.seed}, {options.rounds} rounds in {monotonic() - begin:.0f} s"
            print(f"{done}: {model.figures()}")
    return 1 if found else 0


@contextmanager
def _folder(logs: str | None, broker: str) -> Iterator[Path]:
    if logs is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        folder_of_broker = Path(logs) / broker
        folder_of_broker.mkdir(parents=True, exist_ok=True)
        yield folder_of_broker


async def _run_clients(model: ClientsModel, options: argparse.Namespace) -> None:
    await model.run(options.rounds, options.calm, lambda line: print(line, flush=True))


def _test_cuts(options: argparse.Namespace) -> int:
    found = 0
    for broker in brokers_of(options.broker):
        with _BROKERS[broker]() as server, tempfile.TemporaryDirectory() as folder:
            for transport in options.transport or TRANSPORTS:
                result = asyncio.run(
                    run_cuts(
                        server.url,
                        Path(folder),
                        transport,
                        options.connections,
                        options.seconds,
                        options.rate,
                        options.seed,
                    )
                )
                for problem in result.problems[:20]:
                    print(f"{broker}: {problem}")
                found += len(result.problems)
                print(f"{broker}, {result}", flush=True)
    return 1 if found else 0


def _test_outage(options: argparse.Namespace) -> int:
    with running_redis() as server, tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run_outage(server, Path(folder), options.clients))
    for problem in result.problems[:20]:
        print(problem)
    print(result)
    return 1 if result.problems else 0


def _test_restart(options: argparse.Namespace) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with running_redis() as server, tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run_restart(server.url, Path(folder), options.clients, options.rate))
    for problem in result.problems[:20]:
        print(problem)
    print(result)
    return 1 if result.problems or result.received != result.expected else 0


if __name__ == "__main__":
    sys.exit(main())
