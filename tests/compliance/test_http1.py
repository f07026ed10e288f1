"""Our server against the corpus in ``compliance/http1``, whole and byte by byte, plain and under TLS."""

from __future__ import annotations

from typing import Any

import pytest

from compliance.http1 import corpus
from compliance.http1.apps.echo import MAX_BODY
from compliance.http1.apps.tornado_app import make_application
from compliance.http1.case import Case
from compliance.http1.judge import Word, judge
from compliance.http1.runner import Feed, Result, Target, run_corpus
from tests.support.server import serving


def answers_well(case: Case, result: Result) -> bool:
    """Whether every answer before a closed connection says so, and has a length."""
    if case.half_close or not result.responses or not result.responses[-1].code >= 400:
        return True
    final = result.responses[-1]
    goes_on = final.code == 405
    return goes_on or (final.get("connection") == "close" and final.get("content-length") is not None)


@pytest.mark.parametrize("feed", list(Feed))
async def test_the_corpus(tls: Any, feed: Feed) -> None:
    cases = corpus.load()
    async with serving(make_application(), tls=tls, max_body_size=MAX_BODY) as server:
        context = tls.client_context if tls else None
        results = await run_corpus(cases, Target("ours", server.address, context), feed)
    wrong = []
    for case in cases:
        verdict = judge(case, results[case.title], strict=True)
        if verdict.word is not Word.PASSED:
            wrong.append(f"{case.title} (RFC {case.clause}): {verdict.reason or 'not seen'}")
        elif not answers_well(case, results[case.title]):
            wrong.append(f"{case.title}: a refusal without Connection: close or without a length")
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
