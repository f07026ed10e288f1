"""Format the figures as text, and check their bounds."""

from __future__ import annotations

from math import inf

from compliance.abuse.exemptions import EXEMPTIONS
from compliance.abuse.measure import Result, Scenario, Target

Results = dict[tuple[str, str], Result]

#: The maximum ratio of the server's cost to the attacker's cost.
FACTOR = 100
#: Costs of the server below these are noise, for which no ratio is computed.
MEMORY_NOISE = 4 * 1024 * 1024
CPU_NOISE = 0.1
#: The time in seconds by which the probe may wait longer for Waterspout than for Tornado.
PROBE_NOISE = 0.03
#: The ratio by which any figure may exceed Tornado's, because the time for the same work varies.
MAX_VARIATION = 0.3
#: The cost of a connection in the attacker's kernel in bytes: a socket with its buffer headers, and a file.
CONNECTION = 4096
#: The maximum share of a CPU and the maximum number of log lines while the server has no file descriptors
#: left.
CPU_SHARE = 0.05
LINES = 20


def _size(number: float) -> str:
    return f"{number / 1e6:.1f}"


def line(scenario: Scenario, target: Target, result: Result) -> str:
    """Format one attack as a line."""
    attacker, server, probe = result.attacker, result.server, result.probe
    outcome = {name: attacker.get(name) for name in ("held", "last_closed", "answers") if name in attacker}
    return (
        f"{scenario.title:52} {target.name:9} probe {probe['slowest'] * 1e3:7.0f} ms"
        f"  stall {server['stall'] * 1e3:6.0f} ms  failures {probe['failures']}"
        f"  attacker {attacker['cpu']:6.2f} s {_size(attacker['sent'])} MB"
        f"  server {result.cpu:6.2f} s +{_size(result.grown)} MB  lines {server['lines']}  {outcome}"
    )


def table(scenarios: list[Scenario], targets: list[Target], results: Results) -> str:
    """Format a Markdown table: for each server, the probe's delay, CPU time and memory."""
    heads = [f"{target.name}: probe ms / stall ms / CPU s / memory MB" for target in targets]
    rows = [
        "| attack | attacker: CPU s / sent MB | " + " | ".join(heads) + " |",
        "|---|---:|" + "---:|" * len(targets),
    ]
    for scenario in scenarios:
        cells = []
        spent = ""
        for target in targets:
            result = results[scenario.title, target.name]
            server, probe, attacker = result.server, result.probe, result.attacker
            spent = f"{attacker['cpu']:.2f} / {_size(attacker['sent'])}"
            cell = f"{probe['slowest'] * 1e3:.0f} / {server['stall'] * 1e3:.0f} / "
            cell += f"{result.cpu:.2f} / {_size(result.grown)}"
            if attacker.get("held"):
                cell += f" ({attacker['held']} held)"
            if result.attempts > 1:
                cell += f" [{result.attempts}]"
            cells.append(cell)
        rows.append(f"| {scenario.title} | {spent} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def faults(scenarios: list[Scenario], targets: list[Target], results: Results) -> list[str]:
    """Return the figures of Waterspout that exceed their bounds.

    For "public", these are the bounds of the scenario. The defaults are also compared with Tornado's figures
    of the same run, and `EXEMPTIONS` apply.
    """
    found = []
    for scenario in scenarios:
        for target in targets:
            if target.name == "upstream":
                continue
            result = results[scenario.title, target.name]
            upstream = results.get((scenario.title, "upstream")) if target.name == "default" else None
            found += [
                f"{scenario.title}, {target.name}: {fault}"
                for fault in _faults(scenario, target, result, upstream)
            ]
    return found


def _faults(scenario: Scenario, target: Target, result: Result, upstream: Result | None) -> list[str]:
    found: list[str] = []
    for figure, value, bound, text in _judged(scenario, result):
        exemption = EXEMPTIONS.get((scenario.name, figure)) if target.name == "default" else None
        if value > (bound if exemption is None else exemption.maximum):
            found.append(text)
    if upstream is not None:
        found += _worse(scenario, result, upstream)
    return found


def _judged(scenario: Scenario, result: Result) -> list[tuple[str, float, float, str]]:
    """Return each checked figure: its name, value, maximum, and the text to report if it is larger."""
    server, attacker, probe = result.server, result.attacker, result.probe
    failed, lines, held = probe["failures"], server["lines"], attacker.get("held", 0)
    judged: list[tuple[str, float, float, str]] = [
        ("probe", probe["slowest"], scenario.slowest, f"the probe waited {probe['slowest'] * 1e3:.0f} ms"),
        ("failures", failed, 0, f"{failed} requests of the probe failed"),
    ]
    if scenario.descriptors:
        share = result.cpu / attacker["seconds"]
        judged.append(("cpu", share, CPU_SHARE, f"{share:.0%} of a CPU"))
        judged.append(("lines", lines, LINES, f"{lines} lines in the log"))
    else:
        times = result.cpu / max(attacker["cpu"], 1e-6)
        bound = max(CPU_NOISE, FACTOR * attacker["cpu"])
        judged.append(("cpu", result.cpu, bound, f"{times:.0f} times the attacker's CPU"))
    spent = attacker["sent"] + attacker["memory"] + attacker.get("opened", 1) * CONNECTION
    bound = max(MEMORY_NOISE, FACTOR * spent)
    text = f"{_size(result.grown)} MB, {result.grown / spent:.0f} times the attacker's bytes"
    judged.append(("memory", result.grown, bound, text))
    judged.append(("held", held, 0 if scenario.ends else inf, f"{held} connections held"))
    return judged


def _worse(scenario: Scenario, ours: Result, upstream: Result) -> list[str]:
    """Return the figures that are significantly worse with the defaults than with Tornado."""
    compared = (
        ("probe", ours.probe["slowest"], upstream.probe["slowest"], PROBE_NOISE, "s of the probe's delay"),
        ("cpu", ours.cpu, upstream.cpu, CPU_NOISE, "s of CPU time"),
        ("memory", ours.grown, upstream.grown, MEMORY_NOISE, "bytes of memory"),
    )
    found = []
    for figure, our, their, noise, unit in compared:
        exemption = EXEMPTIONS.get((scenario.name, figure))
        if our > their * (1 + MAX_VARIATION) + noise and not (exemption is not None and exemption.worse):
            found.append(f"{our:.3g} {unit} are worse than upstream's {their:.3g}")
    return found
