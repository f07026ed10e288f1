"""Run the measurements: ``python -m benchmarks.macro.websocket --only ours,tornado --scenario echo``."""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Iterator

from benchmarks import tables
from benchmarks.arguments import choose, command_line
from benchmarks.instructions import method
from benchmarks.macro.server.process import running
from benchmarks.macro.websocket import measure
from benchmarks.macro.websocket.peers import PEERS

#: Results by metric, server and scenario.
Results = dict[str, dict[str, dict[str, float]]]

UNITS = {
    "instructions": "user-space instructions of an echo, or of a delivery",
    "cpu": "CPU microseconds of an echo, or of a delivery (user and system)",
    "memory": "bytes a connection",
    "delay": "milliseconds in which 99 of 100 deliveries arrive",
}
SCENARIOS = {
    "echo": "a message of 32 bytes and back, 64 connections with one message in flight each",
    "loop": "a message of 64 bytes to 1,000 clients, by a send to each",
    "broadcast": "the same by the peer's own way of sending to many; by a loop where it has none",
    "idle": "open connections on which nothing happens",
    "deflate": "the same with permessage-deflate agreed on",
    "alert": "a message of 16 KiB to 1,000 clients that all read",
    "stalled": "the same, while one more client has ceased to read",
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = command_line("websocket", __doc__, PEERS)
    choose(parser, "--scenario", SCENARIOS)
    choose(parser, "--metric", UNITS)
    parser.add_argument("--seconds", type=float, default=2, help="length of each CPU measurement of echoes")
    parser.add_argument("--repeat", type=int, default=3, help="CPU measurements, of which the median counts")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    return parser.parse_args()


def measured(asked: argparse.Namespace) -> Results:
    """Everything that is asked for."""
    results: Results = {}
    for scenario in asked.scenario:
        peers = [name for name in asked.only if scenario not in PEERS[name].without]
        for metric, name, value in _figures(scenario, peers, asked):
            results.setdefault(metric, {}).setdefault(name, {})[scenario] = value
            print(f"{PEERS[name].title:24} {scenario:10} {metric:13} {value:12,.1f}", flush=True)
    return results


def _figures(scenario: str, peers: list[str], asked: argparse.Namespace) -> Iterator[tuple[str, str, float]]:
    """All of one scenario: metric, peer and value."""
    if scenario in ("idle", "deflate"):
        if "memory" in asked.metric:
            for name in peers:
                with running(PEERS[name]) as server:
                    yield "memory", name, measure.idle_memory(server, f"/{scenario}", asked.idle)
        return
    if scenario in ("alert", "stalled"):
        if "delay" in asked.metric:
            yield from _taking_turns("delay", scenario, peers, asked)
        return
    if "instructions" in asked.metric and method():
        for name in peers:
            yield "instructions", name, measure.instructions(PEERS[name], f"/{scenario}")
    if "cpu" in asked.metric:
        yield from _taking_turns("cpu", scenario, peers, asked)


def _taking_turns(
    metric: str, scenario: str, peers: list[str], asked: argparse.Namespace
) -> Iterator[tuple[str, str, float]]:
    """What the clock measures: the peers take turns, so that a slow minute of the machine is shared."""
    each: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(asked.repeat):
        for name in peers:
            with running(PEERS[name]) as server:
                if metric == "delay":
                    path = "/loop" if "broadcast" in PEERS[name].without else "/broadcast"
                    value = measure.delay(server, path, scenario == "stalled")
                elif scenario == "echo":
                    value = measure.echo_cpu(server, asked.seconds)
                else:
                    value = measure.broadcast_cpu(server, f"/{scenario}")
                each[name].append(value)
    for name in peers:
        yield metric, name, statistics.median(each[name])


def how(asked: argparse.Namespace) -> str:
    """The method, in a paragraph."""
    return (
        "One process a server, pinned to one core; the clients, plain sockets with frames made beforehand, "
        f"on another. Instructions: by {method() or 'nothing here'}, once warm. CPU: user and system time of "
        f"the server, the servers taking turns; the median of {asked.repeat}. Memory: growth (PSS) over "
        f"{asked.idle:,} connections. Our broadcast() goes by the clock: under callgrind it takes several "
        "turns of the loop, and more instructions than in one. Trust instructions first, then ratios within "
        "one run."
    )


def markdown(results: Results, asked: argparse.Namespace) -> list[str]:
    """One table a metric: servers down, scenarios across, a factor against Tornado where it was measured."""
    lines = [*tables.heading("WebSockets", [PEERS[name] for name in asked.only]), "", how(asked)]
    for metric, unit in UNITS.items():
        figures = results.get(metric, {})
        columns = [name for name in SCENARIOS if any(name in row for row in figures.values())]
        if columns:
            rows = [
                [PEERS[name].title, *(_cell(figures, name, column) for column in columns)]
                for name in asked.only
                if name in figures
            ]
            lines += ["", f"## {unit[0].upper()}{unit[1:]}", "", *tables.table(["server", *columns], rows)]
    return [*lines, "", *(f"- `{name}`: {SCENARIOS[name]}" for name in asked.scenario)]


def _cell(figures: dict[str, dict[str, float]], name: str, column: str) -> str:
    value = figures[name].get(column)
    if value is None:
        return "–"
    base = figures.get("tornado", {}).get(column)
    text = f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
    return f"{text} ({value / base:.2f}x)" if base and name != "tornado" else text


def main() -> None:
    """Measure, print, and write the tables."""
    asked = arguments()
    # Ten thousand connections are as many descriptors here, and in the server, which inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in asked.only:
        PEERS[name].python()
    results = measured(asked)
    record = {"units": UNITS, "results": results}
    print(tables.save(asked.output, "websocket", markdown(results, asked), record))


if __name__ == "__main__":
    main()
