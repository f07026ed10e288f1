"""Run the measurements: ``python -m benchmarks.macro.stream --only ours,tornado --case tcp/``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import certificates, tables, workers
from benchmarks.arguments import command_line
from benchmarks.macro.stream.cases import CASES
from benchmarks.peers import tornado_peers

PEERS = tornado_peers(workers.WORKER)


def main() -> None:
    """Measure, print the results, and write the tables."""
    parser = command_line("stream", __doc__, PEERS)
    workers.add_arguments(parser)
    asked = parser.parse_args()
    peers = [PEERS[name] for name in asked.only]
    cases = [case for case in CASES.values() if asked.case in case.name]
    with tempfile.TemporaryDirectory() as folder:
        certificates.write(Path(folder))
        comparison = workers.Comparison(peers, "benchmarks.macro.stream.cases", {"BENCH_TLS": folder})
        results = workers.measured(comparison, cases, asked)
    lines = [*tables.heading("Streams", peers), "", workers.how(asked)]
    lines += workers.markdown(results, cases, peers)
    print(tables.save(asked.output, "stream", lines, {"units": workers.UNITS, "results": results}))


if __name__ == "__main__":
    main()
