"""Run the measurements: ``python -m benchmarks.macro.client --only ours,aiohttp --case keep-alive``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks import tables, workers
from benchmarks.arguments import command_line
from benchmarks.macro.client.cases import CASES
from benchmarks.peers import ROOT, TORNADO, Peer

#: pycurl comes first: the virtual environment is named after the first requirement, and other benchmarks use
#: an environment without pycurl.
_TORNADO_CURL = ("pycurl==7.49.0", *TORNADO)

HOW = (
    "The server has a separate process. Only the client's process, pinned to one core, is measured. CPU:  "
    "process time, user and system; the clients run in turn; the lowest of {} means."
)


def _peer(name: str, title: str, client: str, *requirements: str) -> Peer:
    return Peer(name, title, workers.WORKER, requirements, {"BENCH_CLIENT": client})


PEERS = {
    peer.name: peer
    for peer in [
        _peer("ours", "Waterspout", "simple"),
        _peer("ours-curl", "Waterspout, curl", "curl"),
        _peer("tornado", "Tornado 6.6.1, simple", "simple", *TORNADO),
        _peer("tornado-curl", "Tornado 6.6.1, curl", "curl", *_TORNADO_CURL),
        _peer("aiohttp", "aiohttp", "aiohttp", "aiohttp==3.14.5"),
        _peer("httpx", "httpx", "httpx", "httpx==0.28.1"),
        _peer("niquests", "niquests", "niquests", "niquests==3.21.2"),
    ]
}


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Run the server in a separate process, and yield its port."""
    command = [sys.executable, "-m", "benchmarks.macro.client.server"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.communicate()


def memory(peer: Peer, port: str) -> float:
    """Return the memory of an idle pooled connection in bytes."""
    done = subprocess.run(
        [str(peer.python()), "-m", "benchmarks.macro.client.memory"],
        cwd=ROOT,
        env={**os.environ, **peer.environment, "BENCH_PORT": port},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure, print the results, and write the tables."""
    parser = command_line("client", __doc__, PEERS)
    workers.add_arguments(parser)
    parser.set_defaults(metric=["cpu"], repeat=3)
    asked = parser.parse_args()
    peers = [PEERS[name] for name in asked.only]
    cases = [case for case in CASES.values() if asked.case in case.name]
    with serving() as port:
        comparison = workers.Comparison(peers, "benchmarks.macro.client.cases", {"BENCH_PORT": port})
        results = workers.measured(comparison, cases, asked)
        idle = {} if asked.case else {peer.name: min(memory(peer, port) for _ in range(3)) for peer in peers}
    lines = [
        *tables.heading("HTTP clients", peers),
        "",
        HOW.format(asked.repeat),
        *workers.markdown(results, cases, peers),
    ]
    if idle:
        row = ["bytes", *(f"{idle[peer.name]:,.0f}" for peer in peers)]
        lines += ["", "Resident memory per idle pooled connection in bytes (500 open):", ""]
        lines += tables.table(["", *(peer.title for peer in peers)], [row])
    record = {"units": workers.UNITS, "results": results, "idle": idle}
    print(tables.save(asked.output, "client", lines, record))


if __name__ == "__main__":
    main()
