"""The corpus of ``compliance/http1`` is consistent, and detects the faults that it tests for."""

from __future__ import annotations

from collections import Counter

import pytest

from compliance.http1 import corpus, servers
from compliance.http1.case import Case, End, Outcome
from compliance.http1.judge import Word, judge
from compliance.http1.readings import second_if_early, second_if_late
from compliance.http1.runner import Feed, Target, run_corpus
from tests.compliance.faulty import Fault, serving_with
from tests.compliance.lenient import serving_leniently

# The corpus itself


def test_corpus_is_large_and_titles_are_unique() -> None:
    titles = Counter(case.title for case in corpus.load())
    assert len(titles) >= 1100
    assert set(titles.values()) == {1}
    assert {case.group for case in corpus.load()} == set(corpus.GROUPS)


def test_every_case_has_a_clause_and_outcomes() -> None:
    for case in corpus.load():
        assert case.clause[:1].isdigit(), case.title
        assert case.outcomes, case.title
        assert set(case.only) <= set(servers.SERVERS), case.title
        if case.half_close:
            assert all(outcome.end is End.CLOSED for outcome in case.outcomes), case.title


def test_cases_are_unique() -> None:
    seen: dict[str, str] = {}
    for case in corpus.load():
        what = repr((case.parts, case.half_close, case.tls, case.outcomes))
        assert seen.setdefault(what, case.title) == case.title


def covers(allowed: Outcome, ours: Outcome) -> bool:
    """Whether an outcome is included in another one."""
    return (
        allowed.end in (ours.end, End.EITHER)
        and len(allowed.answers) == len(ours.answers)
        and all(wide.codes >= one.codes for wide, one in zip(allowed.answers, ours.answers, strict=True))
    )


def test_own_outcome_is_allowed_and_unambiguous() -> None:
    for case in corpus.load():
        assert any(covers(allowed, case.ours) for allowed in case.outcomes), case.title
        assert all(len(answer.codes) == 1 for answer in case.ours.answers), case.title
        assert case.ours.end is not End.EITHER, case.title


def test_cases_are_selected_by_words_in_their_titles() -> None:
    assert {case.group for case in corpus.select(["chunks/"])} == {"chunks"}
    assert len(corpus.select([])) == len(corpus.load())


@pytest.mark.parametrize("mark", [b"\n", b"a=b\n", b"\r", b'a="\r\n'])
def test_both_interpretations_are_well_formed(mark: bytes) -> None:
    """Parse the request here at the mark, and at the first CR LF after it."""
    for reading in (second_if_late(mark, b'"'), second_if_early(mark)):
        body = reading.data.partition(b"\r\n\r\n")[2]
        start = body.index(mark) + len(mark)
        for first, outcome in ((start, reading.early), (body.index(b"\r\n", start) + 2, reading.late)):
            size = int(body.partition(b";")[0], 16)
            taken, position = body[first : first + size], first + size
            while body[position : position + 5] != b"\r\n0\r\n":
                assert body[position : position + 2] == b"\r\n"
                line, _, _ = body[position + 2 :].partition(b"\r\n")
                position += 2 + len(line) + 2
                taken += body[position : position + int(line, 16)]
                position += int(line, 16)
            assert outcome.answers[0].seen["body"] == taken
            behind = body[position + 7 :]
            assert behind.startswith(b"POST /smuggled ") if len(outcome.answers) == 2 else behind == b""


# Against a lenient server


async def test_lenient_server_fails_in_every_group_that_requires_strictness() -> None:
    cases = corpus.load()
    async with serving_leniently() as address:
        results = await run_corpus(cases, Target("ours", address, deadline=1.0), Feed.WHOLE)
    failed = [case for case in cases if case.title in results and not passed(case, results)]
    groups = Counter(case.group for case in failed)
    assert len(failed) > len(cases) / 2
    assert set(groups) == set(corpus.GROUPS)
    for group in ("host", "fields", "content_length", "transfer_encoding", "length_and_coding", "chunks"):
        assert groups[group] >= 20, groups
    titles = {case.title for case in failed}
    assert titles >= {
        "request_line/version-empty",
        "targets/absolute-another-host",
        "host/two-different",
        "line_ends/cr-everywhere",
        "fields/space-before-colon",
        "content_length/invalid-plus",
        "content_length/twice-different",
        "transfer_encoding/not-final-chunked-then-identity",
        "length_and_coding/chunked-length-before-covering",
        "chunks/size-underscore",
        "trailers/bad-no-colon",
        "expect/waits-for-100",
        "connection/closes-last-in-a-list",
        "methods/head-has-no-body",
        "pipelining/nothing-behind-two-hosts",
        "smuggling/CL.TE",
        "unread/early-post-length",
        "responses/204",
        "limits/fields-over",
    }


async def test_lenient_server_passes_valid_cases() -> None:
    titles = [
        "request_line/plain",
        "content_length/body",
        "chunks/two",
        "pipelining/ten",
        "incomplete/behind-a-request",
    ]
    cases = corpus.select(titles)
    async with serving_leniently() as address:
        results = await run_corpus(cases, Target("lenient", address), Feed.WHOLE)
    assert {case.title for case in cases if passed(case, results)} >= set(titles)


# Against servers with one fault

#: Cases that a server must fail because of this fault; others may fail, too.
NOTICED: dict[Fault, set[str]] = {
    Fault.LF_IN_VALUE: {
        "line_ends/lf-before-length",
        "smuggling/second-length-hidden-by-line-feed",
        "smuggling/coding-hidden-by-line-feed",
    },
    Fault.CR_ENDS_FIELD: {
        "line_ends/cr-behind-field",
        "line_ends/cr-hides-length",
        "advisories/GHSA-w235-7p84-xx57-carriage-return-in-value",
    },
    Fault.SPACE_BEFORE_COLON: {
        "fields/space-before-colon",
        "content_length/tab-before-colon",
        "transfer_encoding/space-before-colon",
        "trailers/space-before-colon",
    },
    Fault.UNDERSCORE: {
        "fields/underscore-is-another-name",
        "content_length/underscore-in-name",
        "transfer_encoding/underscore-in-name",
        "length_and_coding/underscore-in-coding",
        "length_and_coding/underscore-in-length",
    },
    Fault.UNICODE_SPACE: {
        "content_length/invalid-no-break-space",
        "content_length/invalid-next-line",
        "transfer_encoding/not-final-no-break-space-behind",
        "advisories/GHSA-753j-mpmx-qq6g-coding-in-no-break-space",
        "advisories/GHSA-753j-mpmx-qq6g-length-in-no-break-space",
        "advisories/GHSA-753j-mpmx-qq6g-name-in-no-break-space",
    },
    Fault.UNICODE_LINES: {
        "line_ends/vertical-tab-is-no-line-end",
        "line_ends/next-line-is-no-line-end",
        "advisories/GHSA-753j-mpmx-qq6g-next-line-in-value",
    },
    Fault.NULL_IN_VALUE: {
        "fields/value-with-null",
        "trailers/bad-null-in-value",
        "advisories/CVE-2012-2374-null-in-value",
    },
    Fault.LENGTH_WINS: {
        "smuggling/CL.TE",
        "smuggling/TE.CL",
        "advisories/GHSA-753j-mpmx-qq6g-length-and-coding",
        "length_and_coding/chunked-length-before-ending-inside",
    },
    Fault.CODING_WINS: {
        "smuggling/CL.TE",
        "smuggling/TE.CL",
        "advisories/GHSA-753j-mpmx-qq6g-length-and-coding",
        "length_and_coding/chunked-length-behind-covering",
        "length_and_coding/keep-alive-asked-for",
    },
    Fault.FIRST_LENGTH: {"smuggling/CL.CL", "content_length/twice-different"},
    Fault.LAST_LENGTH: {"smuggling/CL.CL", "content_length/twice-in-two-cases"},
    Fault.FIRST_CODING: {
        "smuggling/TE.TE-last",
        "advisories/GHSA-753j-mpmx-qq6g-duplicate-coding",
        "transfer_encoding/two-lines-chunked-then-identity",
    },
    Fault.LAST_CODING: {
        "smuggling/TE.TE-first",
        "advisories/GHSA-753j-mpmx-qq6g-duplicate-coding",
        "transfer_encoding/gzip-then-chunked",
    },
    Fault.ANY_CODING: {
        "smuggling/TE.TE-first",
        "transfer_encoding/not-final-unknown",
        "transfer_encoding/not-final-two-words",
        "transfer_encoding/not-final-double-quoted",
    },
    Fault.UNKNOWN_CODING: {
        "advisories/GHSA-753j-mpmx-qq6g-unknown-coding",
        "transfer_encoding/not-final-plural",
        "length_and_coding/identity-length-before-covering",
    },
    Fault.NO_BODY_OF_GET: {
        "smuggling/CL.0",
        "smuggling/TE.0",
        "unread/forbidden-get-length",
        "unread/forbidden-options-chunks",
    },
    Fault.NOMINATED: {
        "connection/nominating-content-length",
        "connection/nominating-transfer-encoding",
        "connection/nominating-transfer-encoding-and-close",
    },
    Fault.UNREAD: {
        "smuggling/0.CL",
        "unread/early-post-length",
        "unread/early-expecting-chunks",
        "unread/all-behind-the-answer-length",
        "unread/the-rest-behind-the-answer-chunks",
        "unread/another-request-in-place-of-length",
        "unread/another-request-in-place-of-chunks",
    },
    Fault.PYTHON_INT: {
        "content_length/invalid-plus",
        "content_length/invalid-minus-zero",
        "content_length/invalid-underscore",
        "chunks/size-plus",
        "chunks/size-prefix",
        "advisories/GHSA-qppv-j76h-2rpx-length-plus",
        "advisories/GHSA-qppv-j76h-2rpx-length-underscore",
        "advisories/GHSA-qppv-j76h-2rpx-chunk-plus",
        "advisories/GHSA-qppv-j76h-2rpx-chunk-prefix",
        "advisories/GHSA-qppv-j76h-2rpx-chunk-underscore",
    },
    Fault.WRAPS_32: {"chunks/huge-two-to-the-32-plus-5"},
    Fault.WRAPS_64: {"chunks/huge-two-to-the-64-plus-5"},
    Fault.C_STRTOL: {"chunks/size-suffix", "chunks/size-comma", "chunks/size-null-behind"},
    Fault.LF_ENDS_SIZE: {
        "smuggling/TERM.EXT-LF",
        "smuggling/EXT.TERM-LF",
        "chunks/lf-in-extension",
        "chunks/lf-in-quoted-extension",
        "chunks/lf-behind-size",
        "chunks/lf-behind-extension",
    },
    Fault.LF_IN_EXTENSION: {
        "smuggling/TERM.EXT-LF",
        "smuggling/EXT.TERM-LF",
        "chunks/lf-in-extension",
        "chunks/lf-in-quoted-extension",
    },
    Fault.CR_ENDS_SIZE: {
        "smuggling/TERM.EXT-CR",
        "smuggling/EXT.TERM-CR",
        "chunks/cr-in-extension",
        "chunks/cr-behind-size",
    },
    Fault.CR_AND_ANY_END_SIZE: {"chunks/cr-and-a-letter-in-extension"},
    Fault.QUOTED_LINE_END: {
        "chunks/crlf-in-quoted-extension",
        "chunks/crlf-and-end-in-quoted-extension",
        "chunks/lf-in-quoted-extension",
    },
    Fault.LF_ENDS_DATA: {"chunks/lf-behind-data"},
    Fault.CR_ENDS_DATA: {"chunks/cr-behind-data"},
    Fault.TWO_END_DATA: {"chunks/two-letters-for-a-line-end"},
    Fault.NOTHING_ENDS_DATA: {"chunks/nothing-behind-data"},
    Fault.SPILL: {"chunks/data-longer"},
    Fault.EMPTY_LINES: {"chunks/two-line-ends-behind-data"},
    Fault.LF_ENDS_TRAILER: {"smuggling/trailer-hides-a-request", "chunks/lf-for-last-line"},
    Fault.MERGES_TRAILERS: {
        "smuggling/TRAILER.MERGE-length",
        "trailers/kept-apart",
        "trailers/forbidden-host",
        "trailers/forbidden-transfer-encoding",
        "trailers/forbidden-cookie",
    },
    Fault.LAST_TRAILER_WINS: {
        "smuggling/TRAILER.MERGE-length",
        "trailers/no-second-value",
        "trailers/forbidden-host",
        "trailers/forbidden-transfer-encoding",
    },
}
#: Cases about limits, which the strict server does not have.
FLOODS = {"advisories/CVE-2026-82397-many-fields", "advisories/CVE-2023-39326-chunk-extension-flood"}


def passed(case: Case, results: object) -> bool:
    """Whether a case passed."""
    assert isinstance(results, dict)
    return judge(case, results[case.title]).word is Word.PASSED


async def fails(fault: Fault, titles: set[str]) -> set[str]:
    """Return the cases that a server with this fault fails."""
    cases = [case for case in corpus.load() if case.title in titles]
    assert len(cases) == len(titles), titles - {case.title for case in cases}
    async with serving_with(fault) as address:
        results = await run_corpus(cases, Target("", address, deadline=10.0), Feed.WHOLE)
    return {case.title for case in cases if not passed(case, results)}


async def test_server_without_fault_passes() -> None:
    assert await fails(Fault.NONE, set().union(*NOTICED.values())) == set()


@pytest.mark.parametrize("fault", list(NOTICED))
async def test_fault_is_detected(fault: Fault) -> None:
    assert await fails(fault, NOTICED[fault]) == NOTICED[fault]


def test_every_fault_and_every_known_attack_is_covered() -> None:
    assert set(NOTICED) == set(Fault) - {Fault.NONE}
    named = {case.title for case in corpus.load() if case.group in ("smuggling", "advisories")}
    assert named - set().union(*NOTICED.values()) == FLOODS
