"""One of the clients, in a process of its own: ``client.py URL CONNECTIONS PERIOD ROUNDS FIRST STEP``.

It has the connections FIRST, FIRST + STEP and so on, opens them, and prints how many it has. It reads the
moment at which all clients begin, has all said, and prints how many it still has; at the next line it closes
them and prints its report, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys

from compliance.connections.herd import Herd, Plan, Target


def main() -> None:
    """Do what the arguments say."""
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
