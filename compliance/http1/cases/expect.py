"""Expect: 100-continue (RFC 9110 section 10.1.1)."""

from __future__ import annotations

from compliance.http1.case import (
    ANSWER,
    Case,
    Outcome,
    chunked,
    closed,
    code,
    echo,
    get,
    last,
    must,
    opened,
    post,
    refused,
    seen,
    should,
    sized,
)

BODY = b"5\r\nhello\r\n0\r\n\r\n"
CONTINUE = code(100)
SMUGGLED = get(target="/smuggled")


def asking(value: str = "100-continue", *fields: str) -> bytes:
    """Return the head of a POST request with this Expect field, for a body of five octets."""
    return post("Content-Length: 5", f"Expect: {value}", *fields)


def maybe(outcome: Outcome) -> tuple[Outcome, ...]:
    """Return the outcome with and without a 100 response before it."""
    return outcome, Outcome((CONTINUE, *outcome.answers), outcome.end)


CASES: list[Case] = [
    must("waits-for-100", "9110 10.1.1", (asking(), ANSWER, b"hello"), opened(CONTINUE, seen(body=b"hello"))),
    must(
        "in-upper-case",
        "9110 10.1.1",
        (asking("100-CONTINUE"), ANSWER, b"hello"),
        opened(CONTINUE, seen(body=b"hello")),
    ),
    must(
        "in-mixed-case",
        "9110 10.1.1",
        (asking("100-Continue"), ANSWER, b"hello"),
        opened(CONTINUE, seen(body=b"hello")),
    ),
    must(
        "name-in-upper-case",
        "9110 5.1",
        (post("Content-Length: 5", "EXPECT: 100-continue"), ANSWER, b"hello"),
        opened(CONTINUE, seen(body=b"hello")),
    ),
    must(
        "chunked",
        "9110 10.1.1",
        (chunked(b"", "Expect: 100-continue"), ANSWER, BODY),
        opened(CONTINUE, seen(body=b"hello")),
    ),
    must(
        "before-other-fields",
        "9110 10.1.1",
        (post("Expect: 100-continue", "Content-Length: 5"), ANSWER, b"hello"),
        opened(CONTINUE, seen(body=b"hello")),
    ),
    must(
        "and-close",
        "9110 10.1.1",
        (asking("100-continue", "Connection: close"), ANSWER, b"hello"),
        closed(CONTINUE, seen(body=b"hello")),
    ),
    must(
        "twice-on-a-connection",
        "9110 10.1.1",
        (asking(), ANSWER, b"hello", ANSWER, asking(), ANSWER, b"hello"),
        opened(CONTINUE, seen(body=b"hello"), CONTINUE, seen(body=b"hello")),
    ),
    must(
        "body-in-two-parts",
        "9110 10.1.1",
        (asking(), ANSWER, b"he", b"llo"),
        opened(CONTINUE, seen(body=b"hello")),
    ),
    must("body-sent-at-once", "9110 10.1.1", asking() + b"hello", *maybe(echo(body=b"hello"))),
    must(
        "chunks-sent-at-once",
        "9110 10.1.1",
        chunked(BODY, "Expect: 100-continue"),
        *maybe(echo(body=b"hello")),
    ),
    must("without-body", "9110 10.1.1", get("Expect: 100-continue"), *maybe(echo(body=b""))),
    must("with-length-zero", "9110 10.1.1", sized(b"", "Expect: 100-continue"), *maybe(echo(body=b""))),
    must(
        "in-1.0-is-ignored",
        "9110 10.1.1",
        sized(b"hello", "Expect: 100-continue", version="HTTP/1.0"),
        last(body=b"hello"),
    ),
    must(
        "in-1.0-kept-alive-is-ignored",
        "9110 10.1.1",
        sized(b"hello", "Expect: 100-continue", "Connection: keep-alive", version="HTTP/1.0"),
        echo(body=b"hello"),
        last(body=b"hello"),
    ),
    should(
        "unknown",
        "9110 10.1.1",
        sized(b"hello", "Expect: the-moon"),
        closed(code(417)),
        opened(code(417)),
        echo(body=b"hello"),
    ),
    should(
        "unknown-without-body",
        "9110 10.1.1",
        get("Expect: the-moon"),
        closed(code(417)),
        opened(code(417)),
        echo(),
    ),
    should(
        "in-a-list",
        "9110 10.1.1",
        asking("100-continue, the-moon") + b"hello",
        closed(code(417)),
        opened(code(417)),
        *maybe(echo(body=b"hello")),
    ),
    should("empty", "9110 10.1.1", sized(b"hello", "Expect:"), echo(body=b"hello"), closed(code(417))),
    should(
        "with-parameter",
        "9110 10.1.1",
        sized(b"hello", "Expect: 100-continue;a=b"),
        closed(code(417)),
        opened(code(417)),
        *maybe(echo(body=b"hello")),
    ),
    must(
        "refused-before-100-host",
        "9110 10.1.1",
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        refused(400),
    ),
    must(
        "refused-before-100-framing",
        "9110 10.1.1",
        post("Content-Length: 5", "Transfer-Encoding: chunked", "Expect: 100-continue", body=BODY),
        refused(400),
        closed(CONTINUE, seen(body=b"hello")),
        last(body=b"hello"),
    ),
    must(
        "refused-before-100-length",
        "9110 10.1.1",
        post("Content-Length: +5", "Expect: 100-continue"),
        refused(400),
    ),
    should(
        "refused-before-100-size",
        "9110 10.1.1",
        post("Content-Length: 999999999999", "Expect: 100-continue"),
        refused(413),
        half_close=True,
        only=("ours", "tornado", "nginx"),
    ),
    # A field of two lines is a list, whose members may be unknown.
    should(
        "in-two-lines",
        "9110 5.3",
        (asking("100-continue", "Expect: 100-continue"), ANSWER, b"hello"),
        opened(CONTINUE, seen(body=b"hello")),
        closed(code(417)),
    ),
    *(
        should(
            f"in-a-list-{name}",
            "9110 10.1.1",
            asking(*lines) + b"hello",
            closed(code(417)),
            opened(code(417)),
            *maybe(echo(body=b"hello")),
        )
        for name, lines in {
            "behind-unknown": ("y, 100-continue",),
            "in-two-lines-unknown-first": ("y", "Expect: 100-continue"),
            "in-two-lines-unknown-last": ("100-continue", "Expect: y"),
        }.items()
    ),
    should(
        "with-empty-member",
        "9110 5.6.1.2",
        asking(", 100-continue") + b"hello",
        *maybe(echo(body=b"hello")),
        closed(code(417)),
    ),
    must(
        "space-before-colon",
        "9112 5.1",
        post("Content-Length: 5", "Expect : 100-continue", body=b"hello"),
        refused(400),
    ),
    # The octets after a 100 response are the body, whatever they look like.
    must(
        "a-request-for-a-body",
        "9112 6.3",
        (
            post(f"Content-Length: {len(SMUGGLED)}", "Expect: 100-continue"),
            ANSWER,
            SMUGGLED,
        ),
        opened(CONTINUE, seen(target="/x", body=SMUGGLED)),
    ),
    must(
        "a-longer-request-for-a-body",
        "9112 6.3",
        (asking(), ANSWER, b"hello" + get(target="/second")),
        opened(CONTINUE, seen(target="/x", body=b"hello"), seen(target="/second")),
    ),
    must(
        "a-request-for-chunks",
        "9112 7.1",
        (chunked(b"", "Expect: 100-continue"), ANSWER, SMUGGLED),
        closed(CONTINUE, code(400)),
    ),
    must(
        "unknown-method",
        "9110 10.1.1",
        (
            b"FETCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            ANSWER,
            b"hello",
        ),
        opened(CONTINUE, code(405, 501)),
        closed(code(405, 501)),
        opened(CONTINUE, seen(body=b"hello")),
        ours=opened(CONTINUE, code(405)),
    ),
]
