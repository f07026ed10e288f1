"""An `AsyncHTTPClient` whose system calls fail: ``python -m compliance.faults.client --port=N``."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from typing import Any

from compliance.faults.inject import Faults
from compliance.faults.load import MIXED, TIMEOUT, Counts
from compliance.faults.server import holdings
from tornado.httpclient import AsyncHTTPClient, HTTPError


async def fetch_in_turn(http: AsyncHTTPClient, base: str, requests: int, first: int, counts: Counts) -> None:
    """Send `requests` requests sequentially."""
    for number in range(first, first + requests):
        path, body, right = MIXED[number % len(MIXED)]
        counts.requests += 1
        try:
            response = await http.fetch(
                base + path,
                method="GET" if body is None else "POST",
                body=body,
                headers={"Content-Type": "application/octet-stream"},
                connect_timeout=TIMEOUT,
                request_timeout=TIMEOUT,
            )
        except HTTPError as error:  # 599 means that there was no response; other codes are never correct
            counts.failures += error.code == 599
            counts.wrong += error.code != 599
        except OSError:
            counts.failures += 1
        else:
            counts.wrong += (response.code, response.body) != (200, right)


async def run(arguments: argparse.Namespace, faults: Faults) -> dict[str, Any]:
    """Run two rounds, each with a new client; report the process's resources after each client is closed."""
    base = f"http://127.0.0.1:{arguments.port}"
    states = []
    for _ in range(2):
        http = AsyncHTTPClient(force_instance=True, max_clients=arguments.clients)
        counts, before = Counts(), faults.counts.total()
        faults.enabled = True
        async with asyncio.TaskGroup() as group:
            for number in range(arguments.clients):
                group.create_task(fetch_in_turn(http, base, arguments.requests, number, counts))
        faults.enabled = False
        http.close()
        for _ in range(10):
            await asyncio.sleep(0)  # some connections close in the next event loop iteration
        states.append({**holdings(), "connections": 0})
    answer = {"counts": dataclasses.asdict(counts), "faults": faults.counts.total() - before}
    return {**answer, "before": states[0], "after": states[1]}


def main() -> None:
    """Parse the arguments, fetch, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=100, help="requests per client")
    parser.add_argument("--probability", type=float, default=0.05)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    arguments = parser.parse_args()
    faults = Faults(arguments.probability, ["recv", "send"], seed=1)
    faults.install()
    factory = None
    if arguments.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(run(arguments, faults))))


if __name__ == "__main__":
    main()
