"""Run the measurements: ``python -m benchmarks.macro.websocket --only ours,tornado --scenario echo``."""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Iterator

from benchmarks import tables
from benchmarks.arguments import add_choice, command_line
from benchmarks.instructions import method
from benchmarks.macro.server.process import running
from benchmarks.macro.websocket import measure
from benchmarks.macro.websocket.peers import PEERS

#: Results by metric, server and scenario.
Results = dict[str, dict[str, dict[str, float]]]

UNITS = {
    "instructions": "user-space instructions of an echo, or of a delivery",
    "cpu": "CPU microseconds of an echo, or of a delivery (user and system)",
    "memory": "bytes per connection",
    "delay": "milliseconds in which 99 of 100 deliveries arrive",
}
SCENARIOS = {
    "echo": "echo of 32 bytes, 64 connections with one message in flight each",
    "loop": "a message of 64 bytes to 1,000 clients, one send call for each",
    "broadcast": "the same with the library's broadcast function, or a loop if it has none",
    "idle": "open connections without traffic",
    "deflate": "the same with permessage-deflate negotiated",
    "alert": "a message of 16 KiB to 1,000 clients that all read their messages",
    "stalled": "the same, with one more client that does not read",
}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line("websocket", __doc__, PEERS)
    add_choice(parser, "--scenario", SCENARIOS)
    add_choice(parser, "--metric", UNITS)
    parser.add_argument("--seconds", type=float, default=2, help="length of each CPU measurement of echoes")
    parser.add_argument("--repeat", type=int, default=3, help="CPU measurements; the median is reported")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    return parser.parse_args()


def measured(asked: argparse.Namespace) -> Results:
    """Measure everything that the command line requests."""
    results: Results = {}
    for scenario in asked.scenario:
        peers = [name for name in asked.only if scenario not in PEERS[name].without]
        for metric, name, value in _figures(scenario, peers, asked):
            results.setdefault(metric, {}).setdefault(name, {})[scenario] = value
            print(f"{PEERS[name].title:24} {scenario:10} {metric:13} {value:12,.1f}", flush=True)
    return results


def _figures(scenario: str, peers: list[str], asked: argparse.Namespace) -> Iterator[tuple[str, str, float]]:
    """Yield all figures of one scenario: metric, peer and value."""
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
    """Yield figures that depend on time.

    The peers are measured in turn, so that slow phases of the machine affect all of them.
    """
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
    """Describe the method in one paragraph."""
    return (
        "One process per server, pinned to one core; the clients, plain sockets with prepared frames, "
        f"on another. Instructions: by {method() or 'not counted'}, after warming up. CPU: user and "
        f"system time of the server, the servers run in turn; the median of {asked.repeat}. Memory: growth "
        f"(PSS) over {asked.idle:,} connections. broadcast() limits its time per event loop iteration: under "
        "callgrind it needs several iterations and more instructions. Rely on instructions first, then on "
        "ratios within one run."
    )


def markdown(results: Results, asked: argparse.Namespace) -> list[str]:
    """Return a table per metric: servers as rows, scenarios as columns, with the ratio to Tornado if
    measured.
    """
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
    """Measure, print the results, and write the tables."""
    asked = arguments()
    # Ten thousand connections need as many descriptors here and in the server, which inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in asked.only:
        PEERS[name].python()
    results = measured(asked)
    record = {"units": UNITS, "results": results}
    print(tables.save(asked.output, "websocket", markdown(results, asked), record))


if __name__ == "__main__":
    main()
