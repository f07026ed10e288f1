"""Cases measured on several peers, each peer in one process (`benchmarks.worker`)."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import tables
from benchmarks.arguments import add_choice
from benchmarks.instructions import counting, method, wrapper
from benchmarks.peers import ROOT, Peer
from benchmarks.worker import Case

#: Results by case, peer and metric.
Results = dict[str, dict[str, dict[str, float]]]

WORKER = Path(__file__).parent / "worker.py"
UNITS = {
    "instructions": "user-space instructions per repetition",
    "cpu": "CPU microseconds per repetition (user and system)",
}
CORE = min(os.sched_getaffinity(0))


class Worker:
    """A process that runs cases."""

    def __init__(self, peer: Peer, module: str, environment: dict[str, str], wrapper: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [*wrapper, str(peer.python()), "-m", f"benchmarks.{WORKER.stem}", module],
            cwd=ROOT,
            env={**os.environ, **peer.environment, **environment, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {CORE}),
        )

    def seconds(self, case: Case, times: int) -> float:
        """Return the CPU seconds of one run."""
        self._command(f"{case.name} {times}")
        return float(self._command("go"))

    def instructions(self, case: Case, folder: Path) -> float:
        """Return the instructions per repetition after warming up; `folder` was passed to `wrapper`."""
        self.seconds(case, max(case.times // 10, 2))
        self._command(f"{case.name} {case.times}")
        with counting(self._process.pid, folder) as count:
            self._command("go")
        return count.value / case.times

    def _command(self, line: str) -> str:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker exited after {line!r}; its errors are above")
        return answer

    def end(self) -> None:
        """End the process, and wait for it."""
        self._process.communicate()


@contextmanager
def working(peer: Peer, module: str, environment: dict[str, str], folder: Path | None) -> Iterator[Worker]:
    """Run a worker for the block. With a folder for the reports, its instructions can be counted."""
    worker = Worker(peer, module, environment, wrapper(folder) if folder is not None else ())
    try:
        yield worker
    finally:
        worker.end()


class Comparison:
    """One run of all cases on all peers.

    :param module: the dotted name of the module with the cases.
    :param environment: environment variables of the workers.
    """

    def __init__(self, peers: Iterable[Peer], module: str, environment: dict[str, str] | None = None) -> None:
        self._peers = list(peers)
        self._module = module
        self._environment = environment or {}
        self.results: Results = {}

    def count(self, cases: Sequence[Case]) -> None:
        """Count the instructions of every case on every peer."""
        for peer in self._peers:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                with working(peer, self._module, self._environment, folder) as worker:
                    for case in cases:
                        self._note(peer, case, "instructions", worker.instructions(case, folder))

    def time(self, cases: Sequence[Case], seconds: float, repeat: int) -> None:
        """Measure the CPU time of every case. The peers run in turn, so that slow phases of the machine
        affect all.

        Each measurement uses new processes, because the speed of a process depends on its memory layout.
        """
        for _ in range(repeat):
            with ExitStack() as stack:
                workers = [
                    (peer, stack.enter_context(working(peer, self._module, self._environment, None)))
                    for peer in self._peers
                ]
                for case in cases:
                    for peer, worker in workers:
                        times = _enough(worker, case, seconds)
                        self._note(peer, case, "cpu", worker.seconds(case, times) / times * 1e6)

    def _note(self, peer: Peer, case: Case, metric: str, value: float) -> None:
        """Store the value if it is the lowest so far."""
        found = self.results.setdefault(case.name, {}).setdefault(peer.name, {})
        found[metric] = value = min(value, found.get(metric, value))
        print(f"{peer.title:24} {case.name:28} {metric:13} {value:14,.1f}", flush=True)


def _enough(worker: Worker, case: Case, seconds: float) -> int:
    """Return the number of repetitions that take about `seconds`."""
    taken = worker.seconds(case, case.times)
    return max(case.times, int(case.times * seconds / max(taken, 1e-6)))


def measured(comparison: Comparison, cases: Sequence[Case], asked: argparse.Namespace) -> Results:
    """Measure everything that the command line requests; see `add_arguments`."""
    if "instructions" in asked.metric and method():
        comparison.count(cases)
    if "cpu" in asked.metric:
        comparison.time(cases, asked.seconds, asked.repeat)
    return comparison.results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the measurement."""
    add_choice(parser, "--metric", tuple(UNITS))
    parser.add_argument("--case", default="", help="only cases whose name contains this text")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of each CPU measurement")
    parser.add_argument("--repeat", type=int, default=7, help="CPU measurements; the lowest is reported")


def how(asked: argparse.Namespace) -> str:
    """Describe the method in one paragraph."""
    return (
        "Each column has one process, which contains both ends of a connection. All are pinned "
        f"to one core. Instructions: user space, by {method() or 'not counted'}, after warming up. "
        f"CPU: process time; the columns run in turn; the lowest of {asked.repeat} means over "
        f"{asked.seconds:g} s, each in a new process. Rely on instructions first; CPU time "
        "includes the kernel's work and the noise of the machine."
    )


def markdown(results: Results, cases: Iterable[Case], peers: Sequence[Peer]) -> list[str]:
    """Return a table per metric: cases as rows, peers as columns; Waterspout with its ratio to Tornado on the
    same loop.
    """
    lines: list[str] = []
    for metric, unit in UNITS.items():
        rows = [
            [case.title, *_cells(results[case.name], metric, peers)]
            for case in cases
            if any(metric in each for each in results.get(case.name, {}).values())
        ]
        if rows:
            lines += ["", f"## {unit[0].upper()}{unit[1:]}", ""]
            lines += tables.table(["case", *(peer.title for peer in peers)], rows)
    return lines


def _cells(row: dict[str, dict[str, float]], metric: str, peers: Sequence[Peer]) -> Iterator[str]:
    for peer in peers:
        value = row.get(peer.name, {}).get(metric)
        base = row.get(peer.name.replace("ours", "tornado"), {}).get(metric)
        if value is None:
            yield "–"
        elif base and peer.name.startswith("ours"):
            yield f"{_figure(value)} ({value / base:.2f}x)"
        else:
            yield _figure(value)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
