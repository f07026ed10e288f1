"""Runs in kosoku's own environment and prints its verdicts as JSON, ``[case, behaviour, close, why]`` each.

``judge.py server JOBS PORT CASE…`` is a client of the server on that port of 127.0.0.1; ``judge.py client
CASE…`` is a server for a client, and prints its port first. Cases are numbers, or patterns such as ``9.*``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver


async def judge_server(jobs: str, port: str, *cases: str) -> list[Any]:
    """What becomes of the server on a port."""
    return await run_fuzzingclient(f"ws://127.0.0.1:{port}/", cases, None, concurrency=int(jobs))


async def judge_client(*cases: str) -> list[Any]:
    """What becomes of whoever comes."""
    async with run_fuzzingserver(cases, None, port=0) as server:
        print(server.port, flush=True)
        return await server.get_result()


def main() -> None:
    """Judge and print."""
    direction, *arguments = sys.argv[1:]
    judge = {"server": judge_server, "client": judge_client}[direction]
    try:
        results = asyncio.run(judge(*arguments))
    except FailureError as failure:  # which has them all
        results = failure.results
    verdicts = [
        [each.case_id, each.behavior.value, each.behavior_close.value, f"{each.result} {each.result_close}"]
        for each in results
    ]
    print(json.dumps(verdicts), flush=True)
    os._exit(0)  # version 0.1.0 aborts now and then while the interpreter takes itself down


if __name__ == "__main__":
    main()
