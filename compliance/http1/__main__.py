"""Send the corpus to servers: ``python -m compliance.http1 --server ours,tornado --only chunks``.

The exit status is 1 if Waterspout, or the server at ``--address``, failed a case; other servers are only
reported.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import platform
import ssl
import sys
import tempfile
from pathlib import Path

from compliance.http1 import corpus, servers, table
from compliance.http1.case import Case
from compliance.http1.judge import Verdict, Word, judge
from compliance.http1.runner import Feed, Target, run_corpus


def certificates(folder: Path) -> ssl.SSLContext:
    """Write a certificate for ``localhost`` into the folder; return a context that trusts it."""
    import trustme

    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    server.private_key_pem.write_to_path(folder / "server.key")
    for blob in server.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def examine(target: Target, cases: list[Case], feeds: list[Feed], strict: bool) -> table.Verdicts:
    """Send the cases to a running server, with each way of feeding."""
    verdicts: dict[Feed, dict[str, Verdict]] = {}
    for feed in feeds:
        results = asyncio.run(run_corpus(cases, target, feed))
        verdicts[feed] = {
            case.title: judge(case, results[case.title], strict=strict)
            if case.title in results
            else Verdict(Word.UNSEEN)
            for case in cases
        }
    return verdicts


def measure(asked: argparse.Namespace, cases: list[Case]) -> dict[str, table.Column]:
    """Start and examine the requested servers; return the results by name."""
    feeds = list(Feed) if asked.feed == "both" else [Feed(asked.feed)]
    if asked.address:
        host, _, port = asked.address.rpartition(":")
        target = Target("", (host, int(port)), pause=servers.PAUSE, deadline=asked.deadline, parallel=32)
        return {asked.address: table.Column(asked.address, examine(target, cases, feeds, asked.strict))}
    columns = {}
    with tempfile.TemporaryDirectory(prefix="certificates-") as folder:
        context = certificates(Path(folder)) if asked.tls else None
        for server in servers.names(asked.server):
            if (reason := server.missing()) is not None:
                print(f"{server.title}: not run: {reason}", file=sys.stderr)
                continue
            tls = (Path(folder), context) if context is not None else None
            with servers.running(server, deadline=asked.deadline, tls=tls) as target:
                verdicts = examine(target, cases, feeds, asked.strict)
            columns[server.name] = table.Column(server.describe(), verdicts)
    return columns


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--server", default="ours", help=f"a comma-separated list, or all: {', '.join(servers.SERVERS)}"
    )
    parser.add_argument("--address", help="host:port of a running server with an echo handler")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="WORD",
        help="only cases whose title contains one of the words",
    )
    parser.add_argument("--feed", choices=["whole", "bytes", "both"], default="both")
    parser.add_argument("--tls", action="store_true", help="under TLS")
    parser.add_argument("--strict", action="store_true", help="allow only the outcome of Waterspout")
    parser.add_argument("--deadline", type=float, default=3.0, help="seconds without any data (3)")
    parser.add_argument("--quiet", action="store_true", help="print only the counts")
    parser.add_argument("--write", action="store_true", help="write the tables into README.md")
    asked = parser.parse_args()
    cases = corpus.select(asked.only)
    columns = measure(asked, cases)
    for column in columns.values():
        if not asked.quiet:
            print(*table.failures(column, cases), sep="\n")
        print(f"{column.title}: {table.summary(column, cases)}")
    if asked.write:
        when = f"{datetime.date.today():%B %Y}, Python {platform.python_version()}"
        table.write(list(columns.values()), cases, when)
    judged = [column for name, column in columns.items() if name not in servers.SERVERS or name == "ours"]
    return 1 if any(table.failures(column, cases) for column in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
