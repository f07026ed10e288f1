"""Run Autobahn's cases with kosoku, in kosoku's environment, and print the verdicts as JSON: a list of
``[case, behaviour, close, why]``.

``judge.py server JOBS PORT CASE…`` tests the server on a port of 127.0.0.1. ``judge.py client CASE…`` runs a
server that tests a client, and first prints its port. Cases are numbers or patterns such as ``9.*``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver


async def judge_server(jobs: str, port: str, *cases: str) -> list[Any]:
    """Test the server on a port of 127.0.0.1."""
    return await run_fuzzingclient(f"ws://127.0.0.1:{port}/", cases, None, concurrency=int(jobs))


async def judge_client(*cases: str) -> list[Any]:
    """Test the client that connects."""
    async with run_fuzzingserver(cases, None, port=0) as server:
        print(server.port, flush=True)
        return await server.get_result()


def main() -> None:
    """Run the cases of the command line and print the verdicts."""
    direction, *arguments = sys.argv[1:]
    judge = {"server": judge_server, "client": judge_client}[direction]
    try:
        results = asyncio.run(judge(*arguments))
    except FailureError as failure:  # the exception contains all results
        results = failure.results
    verdicts = [
        [each.case_id, each.behavior.value, each.behavior_close.value, f"{each.result} {each.result_close}"]
        for each in results
    ]
    print(json.dumps(verdicts), flush=True)
    os._exit(0)  # version 0.1.0 sometimes aborts during interpreter shutdown


if __name__ == "__main__":
    main()
