"""Bodies that the handler does not read (RFC 9112 sections 6.3 and 9.3).

The body is read or the connection is closed; otherwise the body would be parsed as the next request. Every
body here is a request, and another request follows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from compliance.http1.case import (
    ANSWER,
    Answer,
    Case,
    Outcome,
    closed,
    code,
    framed,
    get,
    must,
    opened,
    seen,
)

SMUGGLED = get(target="/smuggled")
SECOND = get(target="/second")
#: The servers whose programs have the handlers that these cases need.
TORNADO = ("ours", "tornado")
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
#: Handlers that stream their bodies; Waterspout does not read the rest of such a body.
_STREAMED = ("early", "taken")
#: The targets with the status of the response, and the servers that have them. A comment says when the server
#: responds. `_answer` handles the one status that depends on the method.
_TARGETS = {
    "forbidden": ("/unread/forbidden", 403, ()),  # before the method is called
    "early": ("/unread/early", 403, ()),  # before the body is read
    "taken": ("/unread/taken", 403, TORNADO),  # when the first piece of the body arrives
    "moved": ("/unread/moved", 302, TORNADO),
    "missing": ("/unread/missing", 404, TORNADO),  # the path has no route
    "static": ("/unread/static/echo.py", 200, TORNADO),
}


def _answer(name: str, status: int, method: str) -> Answer:
    if name == "static" and method not in ("GET", "HEAD"):
        status = 405
    return code(status, bodiless=method == "HEAD")


def _maybe_continued(*outcomes: Outcome) -> tuple[Outcome, ...]:
    """Return the outcomes, each with and without a 100 response before it."""
    return tuple(
        Outcome((*interim, *outcome.answers), outcome.end)
        for outcome in outcomes
        for interim in ((), (code(100),))
    )


def _at_once() -> Iterator[Case]:
    """Yield cases in which the body and the next request arrive with the head."""
    for name, (target, status, only) in _TARGETS.items():
        for method in METHODS:
            answer = _answer(name, status, method)
            goes_on, ends = opened(answer, seen(target="/second")), closed(answer)
            for coded in (False, True):
                which = f"{name}-{method.lower()}-{'chunks' if coded else 'length'}"
                data = framed(method, target, SMUGGLED, chunked=coded) + SECOND
                ours = ends if name in _STREAMED else goes_on
                yield must(which, "9112 9.3", data, goes_on, ends, ours=ours, only=only)
        for coded in (False, True):
            answer = _answer(name, status, "POST")
            goes_on, ends = opened(answer, seen(target="/second")), closed(answer)
            data = framed("POST", target, SMUGGLED, "Expect: 100-continue", chunked=coded) + SECOND
            which = f"{name}-expecting-{'chunks' if coded else 'length'}"
            outcomes = _maybe_continued(goes_on, ends)
            ours = ends if name in _STREAMED else goes_on
            yield must(which, "9110 10.1.1", data, *outcomes, ours=ours, only=only)


def _behind_the_answer() -> Iterator[Case]:
    """Yield cases in which the body arrives after the response."""
    for coded in (False, True):
        which = "chunks" if coded else "length"
        data = framed("POST", "/unread/early", SMUGGLED, chunked=coded)
        start = data.index(b"\r\n\r\n") + 4
        for count, name in ((0, "all"), (5, "the-rest")):
            parts = (data[: start + count], ANSWER, data[start + count :] + SECOND)
            answer = code(403)
            yield must(
                f"{name}-behind-the-answer-{which}",
                "9112 9.3",
                parts,
                opened(answer, seen(target="/second")),
                closed(answer),
                ours=closed(answer),
            )
        # A client whose expectation was refused may omit the body and send another request.
        asking = framed("POST", "/unread/early", SMUGGLED, "Expect: 100-continue", chunked=coded)
        start = asking.index(b"\r\n\r\n") + 4
        outcomes = closed(code(403)), closed(code(403), code(400)) if coded else opened(code(403))
        yield must(
            f"another-request-in-place-of-{which}",
            "9110 10.1.1",
            (asking[:start], ANSWER, SMUGGLED),
            *_maybe_continued(*outcomes),
        )


CASES: list[Case] = [
    *_at_once(),
    *_behind_the_answer(),
    # After the timeout of the body, the rest of it is not read. A 408 response is optional.
    must(
        "too-late",
        "9110 15.5.9",
        (
            framed("POST", "/unread/late", SMUGGLED)[: -len(SMUGGLED)] + SMUGGLED[:5],
            ANSWER,
            SMUGGLED[5:] + SECOND,
        ),
        closed(),
        closed(code(408)),
        only=("ours",),
    ),
    must(
        "too-late-for-a-chunk",
        "9110 15.5.9",
        (
            framed("POST", "/unread/late", b"", chunked=True)[: -len(b"0\r\n\r\n0\r\n\r\n")] + b"ff\r\nx",
            ANSWER,
            SMUGGLED + SECOND,
        ),
        closed(),
        closed(code(408)),
        only=("ours",),
    ),
]
