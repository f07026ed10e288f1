"""A client process: ``client.py URL CONNECTIONS PERIOD ROUNDS FIRST STEP``.

It opens the connections FIRST, FIRST + STEP and so on, and prints how many are open. Then it reads the start
time, which is the same for all clients, sends all messages, and prints how many connections are still open.
After the next line of input, it closes them and prints its report as JSON.
"""

from __future__ import annotations

import json
import resource
import sys

from compliance.connections.herd import Herd, Plan, Target


def main() -> None:
    """Run the client with the arguments of the command line."""
    url, connections, period, rounds, first, step = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plan = Plan(int(connections), float(period), int(rounds))
    herd = Herd(Target.of(url), range(int(first), plan.connections, int(step)))
    herd.open()
    print(herd.size, flush=True)
    herd.hold(plan, float(sys.stdin.readline()))
    print(herd.size, flush=True)
    sys.stdin.readline()
    herd.close()
    print(json.dumps({"errors": herd.errors, "latencies": herd.latencies}), flush=True)


if __name__ == "__main__":
    main()
