"""docs/guide/handlers.md."""

from __future__ import annotations

import json

from tests.support.guides import Run


async def check_hello(run: Run) -> None:
    assert (await run.server.fetch("/")).body == b"Hello, world\n"
    assert (await run.server.fetch("/?name=Ada")).body == b"Hello, Ada\n"


async def check_routes(run: Run) -> None:
    for path, body in (
        ("/articles/7", b'{"article": 7}'),
        ("/archive/2024", b'{"year": "2024", "month": null}'),
        ("/archive/2024/12", b'{"year": "2024", "month": "12"}'),
        ("/about", b"About: see /articles/7"),
    ):
        assert (await run.server.fetch(path)).body == body
    assert (await run.server.fetch("/articles/7/x")).code == 404
    assert (await run.server.fetch("/old/7")).get("location") == "/articles/7"


async def check_by_host(run: Run) -> None:
    assert (await run.server.fetch("/")).body == b"the site"
    assert (await run.server.fetch("/", "Host: api.example.com")).body == b"the API"
    with run.expect_log("tornado.general", "allowed_hosts"):
        assert (await run.server.fetch("/", "Host: www.example.com")).code == 421


async def check_lifecycle(run: Run) -> None:
    report = await run.server.fetch("/report")
    assert json.loads(report.body) == {"orders": 6, "users": 5}
    assert report.get("cache-control") == "no-store"
    assert (await run.server.fetch("/report", method="HEAD")).code == 200
    refused = await run.server.fetch("/report", method="DELETE")
    assert (refused.code, refused.get("allow")) == (405, "GET, HEAD")
    assert len(run.program["durations"]) == 3


async def check_search(run: Run) -> None:
    found = await run.server.fetch("/search?page=2&since=2024-12-31&order=oldest&tag=A&tag=b")
    expected = {"page": 2, "since": "2024-12-31", "order": "oldest", "tags": ["a", "b"]}
    assert json.loads(found.body) == expected
    found = await run.server.fetch("/search?page=&since=&order=")
    assert json.loads(found.body) == {"page": 1, "since": "None", "order": "newest", "tags": []}
    for query in ("page=1_0", "since=2024-02-30", "order=any", "tag=!"):
        name = query.partition("=")[0]
        with run.expect_log("tornado.general", f"Invalid argument {name}"):
            refused = await run.server.fetch(f"/search?{query}")
        assert refused.code == 400
        assert name.encode() in refused.body
    echo = json.loads((await run.server.fetch("/echo?a=b", "User-Agent: test")).body)
    assert (echo["path"], echo["query"], echo["client"], echo["agent"]) == (
        "/echo",
        "a=b",
        "127.0.0.1",
        "test",
    )


async def check_download(run: Run) -> None:
    response = await run.server.fetch("/rows.csv")
    assert response.get("content-type") == "text/csv"
    assert response.body.count(b"\n") == 2000


async def check_errors(run: Run) -> None:
    with run.expect_log("tornado.general", "no umbrella left in stock"):
        page = await run.server.fetch("/items/umbrella")
        answer = await run.server.fetch("/items/umbrella", "Accept: application/json")
    assert page.body == b"<h1>409</h1><p>This item is sold out.</p>"
    assert json.loads(answer.body) == {"error": {"status": 409, "message": "This item is sold out."}}
    assert b"no such page" in (await run.server.fetch("/nothing")).body
    assert json.loads((await run.server.fetch("/items/hat")).body) == {"item": "hat"}
