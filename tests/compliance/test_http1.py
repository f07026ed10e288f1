"""The corpus of ``compliance/http1`` against Waterspout, whole and octet by octet, plain and over TLS.

It is also sent to each configuration of the server that has its own code between the octets and the handler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from compliance.http1 import corpus
from compliance.http1.apps.echo import MAX_BODY, needs
from compliance.http1.apps.tornado_app import make_application, plain_application
from compliance.http1.case import Case
from compliance.http1.judge import Word, judge
from compliance.http1.runner import Feed, Result, Target, concerns, run_corpus
from tests.support.server import ExpectLog, serving
from tornado import httputil
from tornado.httpserver import HTTPServer

#: More requests of the corpus are refused per second than the rate limit of the log admits.
LEFT_OUT = ("tornado.general", "requests rejected with status 400 were not logged")


class WithStartRequest(HTTPServer):
    """A server with an overridden `start_request`."""

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Return the same delegate as the base class."""
        return super().start_request(server_conn, request_conn)


@dataclass(frozen=True)
class Way:
    """A configuration of the server.

    :ivar application: a function that creates the echo program.
    :ivar echoes_only: whether the server has only the echo handler.
    :ivar trusting: whether the server takes the protocol of a request from the header fields of a proxy.
    """

    application: Callable[[], Any] = make_application
    server_class: type[HTTPServer] = HTTPServer
    options: tuple[tuple[str, Any], ...] = ()
    echoes_only: bool = False
    trusting: bool = False

    def cases(self) -> list[Case]:
        """Return the cases that apply to this configuration."""
        return [
            case
            for case in corpus.load()
            if not (self.echoes_only and needs_other_handler(case))
            and not (self.trusting and case.title.startswith("targets/absolute-https-over-tcp"))
        ]


WAYS = {
    "decompressing": Way(options=(("decompress_request", True),)),
    "behind a proxy": Way(options=(("xheaders", True),), trusting=True),
    "with a start_request": Way(server_class=WithStartRequest),
    "a plain callable": Way(lambda: plain_application, echoes_only=True),
}


def needs_other_handler(case: Case) -> bool:
    """Whether a case needs a handler other than the echo."""
    data = b"".join(part for part in case.parts if isinstance(part, bytes))
    return any(needs(word.decode("latin-1")) is not None for word in data.split(b" "))


def refusals_are_complete(case: Case, result: Result) -> bool:
    """Whether every response before a close has Connection: close and a length."""
    if case.half_close or not result.responses or not result.responses[-1].code >= 400:
        return True
    final = result.responses[-1]
    goes_on = final.code in (403, 404, 405) and final.get("connection") is None
    return goes_on or (final.get("connection") == "close" and final.get("content-length") is not None)


async def faults(way: Way, feed: Feed, tls: Any = None, every: int = 1) -> list[str]:
    """Return a line for each failed case; only each `every`-th case is sent."""
    cases, options = way.cases()[::every], dict(way.options)
    async with serving(
        way.application(), tls=tls, server_class=way.server_class, max_body_size=MAX_BODY, **options
    ) as server:
        target = Target("ours", server.address, tls.client_context if tls else None)
        results = await run_corpus(cases, target, feed)
    wrong = []
    for case in cases:
        if not concerns(case, target):
            continue
        verdict = judge(case, results[case.title], strict=True)
        if verdict.word is not Word.PASSED:
            wrong.append(f"{case.title} (RFC {case.clause}): {verdict.reason or 'not seen'}")
        elif not refusals_are_complete(case, results[case.title]):
            wrong.append(f"{case.title}: a refusal without Connection: close or without a length")
    return wrong


@pytest.mark.deadline(300)
@pytest.mark.parametrize("feed", list(Feed))
async def test_corpus_passes_with_each_feed(tls: Any, feed: Feed, expect_log: ExpectLog) -> None:
    # Sending each octet in its own TLS record would double the duration of these tests, and find little more.
    with expect_log(*LEFT_OUT, required=False):
        wrong = await faults(Way(), feed, tls, every=3 if tls and feed is Feed.BYTES else 1)
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong)


@pytest.mark.deadline(300)
@pytest.mark.parametrize("way", list(WAYS))
async def test_corpus_with_other_configurations(way: str, expect_log: ExpectLog) -> None:
    with expect_log(*LEFT_OUT, required=False):
        wrong = await faults(WAYS[way], Feed.WHOLE)
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong)
