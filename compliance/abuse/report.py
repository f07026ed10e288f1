"""The figures as text, and which of them are over their bounds."""

from __future__ import annotations

from compliance.abuse.measure import Result, Scenario, Target

Results = dict[tuple[str, str], Result]

#: The probe's slowest answer, in seconds.
SLOWEST = 0.1
#: How often the attacker's spending the server may spend.
FACTOR = 100
#: Below these the server's spending is not worth a ratio: noise, a second of any server's life.
MEMORY_NOISE = 4 * 1024 * 1024
CPU_NOISE = 0.1
#: What a connection costs the attacker in his own kernel: a socket with its buffers' heads, a file.
CONNECTION = 4096
#: Out of descriptors: share of a processor, and lines in the log.
CPU_SHARE = 0.05
LINES = 20


def _size(number: float) -> str:
    return f"{number / 1e6:.1f}"


def line(scenario: Scenario, target: Target, result: Result) -> str:
    """One attack in one line."""
    attacker, server, probe = result.attacker, result.server, result.probe
    outcome = {name: attacker.get(name) for name in ("held", "last_closed", "answers") if name in attacker}
    return (
        f"{scenario.title:52} {target.name:9} probe {probe['slowest'] * 1e3:7.0f} ms"
        f"  stall {server['stall'] * 1e3:6.0f} ms  failures {probe['failures']}"
        f"  attacker {attacker['cpu']:6.2f} s {_size(attacker['sent'])} MB"
        f"  server {result.cpu:6.2f} s +{_size(result.grown)} MB  lines {server['lines']}  {outcome}"
    )


def table(scenarios: list[Scenario], targets: list[Target], results: Results) -> str:
    """A table in Markdown: for each server, what the probe waited, CPU and memory."""
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
            cells.append(cell)
        rows.append(f"| {scenario.title} | {spent} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def faults(scenarios: list[Scenario], targets: list[Target], results: Results) -> list[str]:
    """What is over its bound, with the protection on."""
    found = []
    for scenario in scenarios:
        for target in targets:
            if target.protection == "public":
                result = results[scenario.title, target.name]
                found += [f"{scenario.title}: {fault}" for fault in _faults(scenario, result)]
    return found


def _faults(scenario: Scenario, result: Result) -> list[str]:
    server, attacker, probe = result.server, result.attacker, result.probe
    found: list[str] = []
    if scenario.descriptors:
        share = result.cpu / attacker["seconds"]
        if share > CPU_SHARE:
            found.append(f"{share:.0%} of a processor")
        if server["lines"] > LINES:
            found.append(f"{server['lines']} lines in the log")
    elif probe["slowest"] > SLOWEST:
        found.append(f"the probe waited {probe['slowest'] * 1e3:.0f} ms")
    if probe["failures"]:
        found.append(f"{probe['failures']} requests of the probe failed")
    if not scenario.descriptors and result.cpu > max(CPU_NOISE, FACTOR * attacker["cpu"]):
        found.append(f"{result.cpu / attacker['cpu']:.0f} times the attacker's CPU")
    spent = attacker["sent"] + attacker["memory"] + attacker.get("opened", 1) * CONNECTION
    if result.grown > max(MEMORY_NOISE, FACTOR * spent):
        found.append(f"{result.grown / spent:.0f} times the attacker's bytes")
    if scenario.ends and attacker.get("held"):
        found.append(f"{attacker['held']} connections held")
    return found
