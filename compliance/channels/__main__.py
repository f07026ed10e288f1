"""Test `tornado.channels` with random operations: ``scripts/compliance channels [--rounds N] [--seed S]``.

Three hubs and twelve clients use a Redis server whose connections are cut and that is killed and suspended
at random. Every run of 300 operations has a seed, which is printed if a client has lost or repeated a message
without a gap.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from compliance.channels.model import Model
from tests.support.databases import running_redis

ROUNDS_OF_A_RUN = 300


def main() -> int:
    """Return 1 if a run has failed."""
    parser = argparse.ArgumentParser(prog="scripts/compliance channels", description="Test channels.")
    parser.add_argument("--rounds", type=int, default=3000, help="the number of operations")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # lost connections are expected
    failed = messages = gaps = kills = 0
    runs = max(1, options.rounds // ROUNDS_OF_A_RUN)
    with running_redis() as server:
        for seed in range(options.seed, options.seed + runs):
            server.start()
            server.flush()
            problems, model = asyncio.run(_run(server, seed))
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


async def _run(server: object, seed: int) -> tuple[list[str], Model]:
    model = Model(server, seed)  # type: ignore[arg-type]
    await model.run(ROUNDS_OF_A_RUN)
    return model.problems, model


if __name__ == "__main__":
    sys.exit(main())
