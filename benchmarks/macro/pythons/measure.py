"""Count the instructions of the scenarios with the interpreter that runs this module, and print them as JSON.

It needs nothing but the standard library: Waterspout is imported from this checkout, and Tornado is installed
into a virtual environment.
"""

from __future__ import annotations

import json
import platform
import ssl
import sysconfig
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.macro.client import __main__ as client
from benchmarks.macro.client.cases import CASES
from benchmarks.macro.server.instructions import counted
from benchmarks.macro.server.peers import PEERS as SERVERS
from benchmarks.macro.server.scenarios import SCENARIOS
from benchmarks.macro.websocket.measure import instructions
from benchmarks.macro.websocket.peers import PEERS as WEBSOCKETS
from benchmarks.peers import ROOT, Peer
from benchmarks.workers import Comparison

#: Names of options of ``configure``, which the table contains if they were used.
OPTIONS = {"PGO": "--enable-optimizations", "LTO": "--with-lto", "free-threaded": "--disable-gil"}


def build() -> dict[str, str]:
    """Describe the interpreter."""
    given = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return {
        "version": platform.python_version(),
        "compiler": platform.python_compiler(),
        "options": ", ".join(name for name, option in OPTIONS.items() if option in given) or "none",
        "openssl": ssl.OPENSSL_VERSION.split()[1],
    }


def adapt(peer: Peer) -> Peer:
    """Return a peer that does not depend on the environment of this process."""
    if peer.requirements:
        return replace(peer, requirements=peer.requirements[:1])
    return replace(peer, environment={**peer.environment, "PYTHONPATH": str(ROOT / "src")})


def figures(name: str) -> Iterator[tuple[str, float]]:
    """Yield the instructions of each scenario for one peer."""
    with counted(adapt(SERVERS[name]), None, False) as server:
        for scenario in ("root", "item"):
            yield scenario, server.measure(SCENARIOS[scenario], 0, None)
    yield "echo", instructions(adapt(WEBSOCKETS[name]), "/echo")
    case = CASES["keep-alive"]
    with client.serving() as port:
        comparison = Comparison([adapt(client.PEERS[name])], CASES_MODULE, {"BENCH_PORT": port})
        comparison.count([case])
    yield "get", comparison.results[case.name][name]["instructions"]


CASES_MODULE = "benchmarks.macro.client.cases"


def main() -> None:
    """Measure both peers; the last line of the output is the result."""
    found = {name: dict(figures(name)) for name in ("ours", "tornado")}
    print(json.dumps({"build": build(), **found}))


if __name__ == "__main__":
    main()
