"""Run the measurements: ``python -m benchmarks.macro.channels --only broadcast,channels --metric cpu``."""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Callable

from benchmarks import tables
from benchmarks.arguments import add_choice, command_line
from benchmarks.macro.channels import measure
from benchmarks.macro.channels.peers import PEERS

#: Results by column and program.
Results = dict[str, dict[str, float]]

UNITS = {
    "cpu": "CPU us per delivery",
    "instructions": "instructions per delivery",
    "memory": "bytes per idle subscriber",
    "connect": "CPU us per connection",
    "storm": "CPU us per connection, 100 at a time",
    "slow": "ms to the slowest of 200",
}
#: The exceptions if a program closes connections, or does not respond.
_FAILURES = (OSError, RuntimeError)
#: The program that the figures of the others are compared with.
_BASE = "broadcast"


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line("channels", __doc__, PEERS)
    add_choice(parser, "--metric", UNITS)
    parser.add_argument("--subscribers", default="1000,5000", help="numbers of subscribers, comma-separated")
    parser.add_argument(
        "--repeat", type=int, default=3, help="repetitions of timed figures; the median counts"
    )
    parser.add_argument("--idle", type=int, default=5_000, help="idle subscribers")
    return parser.parse_args()


def measured(asked: argparse.Namespace) -> Results:
    """Measure everything that the command line requests."""
    results: Results = {}
    counts = [int(count) for count in asked.subscribers.split(",")]
    for metric in asked.metric:
        if metric == "memory":
            _measure(
                results, asked, UNITS[metric], 1, lambda name: measure.idle_memory(PEERS[name], asked.idle)
            )
        elif metric == "connect":
            take = lambda name: measure.connect_cpu(PEERS[name])  # noqa: E731
            _measure(results, asked, UNITS[metric], asked.repeat, take)
        elif metric == "storm":
            take = lambda name: measure.connect_at_once_cpu(PEERS[name])  # noqa: E731
            _measure(results, asked, UNITS[metric], asked.repeat, take)
        elif metric == "slow":
            _measure_slow(results, asked)
        else:
            repeat = asked.repeat if metric == "cpu" else 1
            for count in counts:
                column = f"{UNITS[metric]}, {count:,} subscribers"
                function = measure.BY_SUBSCRIBERS[metric]
                _measure(results, asked, column, repeat, _with(function, count))
    return results


def _with(function: Callable[..., float], count: int) -> Callable[[str], float]:
    return lambda name: function(PEERS[name], count)


def _measure(
    results: Results, asked: argparse.Namespace, column: str, repeat: int, take: Callable[[str], float]
) -> None:
    """Measure the programs in turn, so that slow phases of the machine affect all of them.

    A program that closes a connection has no figure.
    """
    each: dict[str, list[float]] = {name: [] for name in asked.only}
    failed: set[str] = set()
    for _ in range(repeat):
        for name in [name for name in asked.only if name not in failed]:
            try:
                each[name].append(take(name))
            except _FAILURES as error:
                _print_failure(name, column, error)
                failed.add(name)
    results.setdefault(column, {})
    for name in asked.only:
        if name in failed:
            continue
        results[column][name] = value = statistics.median(each[name])
        print(f"{PEERS[name].title:32} {column:45} {value:12,.1f}", flush=True)


def _print_failure(name: str, column: str, error: Exception) -> None:
    print(f"{PEERS[name].title:32} {column:45} failed: {error}", flush=True)


def _measure_slow(results: Results, asked: argparse.Namespace) -> None:
    """Measure without and with a subscriber that never reads, in turn."""
    column = UNITS["slow"]
    for name in asked.only:
        try:
            found = [
                [measure.slowest_delivery(PEERS[name], stuck) for stuck in (0, 1)]
                for _ in range(asked.repeat)
            ]
        except _FAILURES as error:
            _print_failure(name, column, error)
            continue
        figures = {
            column: [without[0] for without, _ in found],
            f"{column}, one never reads": [stuck[0] for _, stuck in found],
            "KiB more if one never reads": [(stuck[1] - without[1]) / 1024 for without, stuck in found],
        }
        for title, values in figures.items():
            results.setdefault(title, {})[name] = value = statistics.median(values)
            print(f"{PEERS[name].title:32} {title:45} {value:12,.2f}", flush=True)


def how(asked: argparse.Namespace) -> str:
    """Describe the method in one paragraph."""
    return (
        "A message of 64 bytes is published in another process, passes through Redis, and is delivered to "
        "all subscribers of one server process before the next one is published. The server is pinned to "
        "one core; Redis, the publisher and the clients use another. CPU: user and system time of the "
        f"server, the programs run in turn; the median of {asked.repeat}. Memory: growth (PSS) over "
        f"{asked.idle:,} subscribers."
    )


def markdown(results: Results, asked: argparse.Namespace) -> list[str]:
    """Return a table: programs as rows, metrics as columns, with the ratio to `broadcast` if measured."""
    rows = [
        [PEERS[name].title, *(_cell(figures, name) for figures in results.values())] for name in asked.only
    ]
    return [
        *tables.heading("Channels", [PEERS[name] for name in asked.only]),
        "",
        how(asked),
        "",
        *tables.table(["program", *results], rows),
    ]


def _cell(figures: dict[str, float], name: str) -> str:
    value, base = figures.get(name), figures.get(_BASE)
    if value is None:
        return "failed"
    text = f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
    return f"{text} ({value / base:.2f}x)" if base and name != _BASE else text


def main() -> None:
    """Measure, print the results, and write the table."""
    asked = arguments()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in asked.only:
        PEERS[name].python()
    results = measured(asked)
    print(tables.save(asked.output, "channels", markdown(results, asked), {"results": results}))


if __name__ == "__main__":
    main()
