"""Run the applications on the servers: ``python -m compliance.asgi [--server NAME] [--write]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compliance.asgi.cases import FRAMEWORK, PROBES, Case
from compliance.asgi.servers import COMMANDS, running
from tests.asgi.applications.specification import NAMES, WITHOUT_LIFESPAN, WITHOUT_WEBSOCKET

README = Path(__file__).with_name("README.md")
_BEGIN, _END = "<!-- table -->", "<!-- end of the table -->"

#: For each server, the outcome of each case.
Outcomes = dict[str, dict[str, str]]


def ask_all(port: int, cases: dict[str, Case], prefix: str = "") -> dict[str, str]:
    """Return the outcomes of cases."""
    found = {}
    for title, case in cases.items():
        try:
            found[prefix + title] = case(port)
        except Exception as error:
            found[prefix + title] = f"{type(error).__name__}: {error}".splitlines()[0][:60]
    return found


def outcomes_of(server: str) -> dict[str, str]:
    """Return the outcomes of all cases on a server."""
    with running(server, "compliance.asgi.probes:app") as port:
        found = ask_all(port, PROBES)
    for name in NAMES:
        cases = dict(FRAMEWORK)
        if name in WITHOUT_LIFESPAN:
            del cases["lifespan"]
        if name in WITHOUT_WEBSOCKET:
            del cases["WebSocket"]
        with running(server, f"tests.asgi.applications.{name}_app:app") as port:
            found |= ask_all(port, cases, f"{name.capitalize()}: ")
    return found


def table(outcomes: Outcomes) -> str:
    """Return the outcomes as a table in Markdown. Framework cases with equal outcomes are joined."""
    lines = [f"| case | {' | '.join(outcomes)} |", "|---" * (len(outcomes) + 1) + "|"]
    equal = []
    for title in next(iter(outcomes.values())):
        values = [each.get(title, "-") for each in outcomes.values()]
        if ": " in title and title.partition(":")[0].lower() in NAMES and len(set(values)) == 1:
            equal.append(title)
            continue
        shown = [value.replace("|", "\\|") for value in values]
        cells = ["the same"] * (len(values) - 1) if len(set(values)) == 1 else shown[1:]
        lines.append(f"| {title} | {' | '.join([shown[0], *cells])} |")
    lines += ["", f"Cases of the frameworks with the same outcome on all servers: {len(equal)}."]
    return "\n".join(lines)


def main() -> int:
    """Print the table, or write it to README.md."""
    parser = argparse.ArgumentParser(prog="scripts/compliance asgi", description=__doc__)
    parser.add_argument("--server", action="append", choices=COMMANDS, help="only this server")
    parser.add_argument("--write", action="store_true", help="write the table to README.md")
    asked = parser.parse_args()
    text = table({server: outcomes_of(server) for server in asked.server or COMMANDS})
    if asked.write:
        before, _, rest = README.read_text().partition(_BEGIN)
        README.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{rest.partition(_END)[2]}")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
