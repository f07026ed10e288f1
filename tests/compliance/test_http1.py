"""Our server against the corpus in ``compliance/http1``, whole and byte by byte, plain and under TLS.

And by each of the ways of serving that have code of their own between the octets and the handler.
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

#: The corpus refuses more requests a second than the access log takes.
LEFT_OUT = ("tornado.general", "rejected with status 400 were not logged")


class WithStartRequest(HTTPServer):
    """A server whose `start_request` is a program's own."""

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """The same as ours."""
        return super().start_request(server_conn, request_conn)


@dataclass(frozen=True)
class Way:
    """A way of serving.

    :ivar application: what makes the echoing program.
    :ivar echoes_only: it has no other handlers.
    :ivar trusting: what a request is for over which protocol is its proxy's to say.
    """

    application: Callable[[], Any] = make_application
    server_class: type[HTTPServer] = HTTPServer
    options: tuple[tuple[str, Any], ...] = ()
    echoes_only: bool = False
    trusting: bool = False

    def cases(self) -> list[Case]:
        """The cases that it can be asked for."""
        return [
            case
            for case in corpus.load()
            if not (self.echoes_only and asks_for_more(case))
            and not (self.trusting and case.title.startswith("targets/absolute-https-over-tcp"))
        ]


WAYS = {
    "decompressing": Way(options=(("decompress_request", True),)),
    "behind a proxy": Way(options=(("xheaders", True),), trusting=True),
    "with a start_request": Way(server_class=WithStartRequest),
    "a plain callable": Way(lambda: plain_application, echoes_only=True),
}


def asks_for_more(case: Case) -> bool:
    """Whether a case wants another handler than the echo."""
    data = b"".join(part for part in case.parts if isinstance(part, bytes))
    return any(needs(word.decode("latin-1")) is not None for word in data.split(b" "))


def answers_well(case: Case, result: Result) -> bool:
    """Whether every answer before a closed connection says so, and has a length."""
    if case.half_close or not result.responses or not result.responses[-1].code >= 400:
        return True
    final = result.responses[-1]
    goes_on = final.code in (403, 404, 405) and final.get("connection") is None
    return goes_on or (final.get("connection") == "close" and final.get("content-length") is not None)


async def faults(way: Way, feed: Feed, tls: Any = None, every: int = 1) -> list[str]:
    """What is wrong, a line a case; `every` so manyth case is sent."""
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
        elif not answers_well(case, results[case.title]):
            wrong.append(f"{case.title}: a refusal without Connection: close or without a length")
    return wrong


@pytest.mark.deadline(300)
@pytest.mark.parametrize("feed", list(Feed))
async def test_the_corpus(tls: Any, feed: Feed, expect_log: ExpectLog) -> None:
    # Each octet in a TLS record of its own costs as much as all the rest, and tells little more.
    with expect_log(*LEFT_OUT, required=False):
        wrong = await faults(Way(), feed, tls, every=3 if tls and feed is Feed.BYTES else 1)
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong)


@pytest.mark.deadline(300)
@pytest.mark.parametrize("way", list(WAYS))
async def test_the_corpus_by_other_ways(way: str, expect_log: ExpectLog) -> None:
    with expect_log(*LEFT_OUT, required=False):
        wrong = await faults(WAYS[way], Feed.WHOLE)
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong)
