"""docs/guide/api.md."""

from __future__ import annotations

import json
from typing import Any

from tests.support.guides import Run

JSON = "Content-Type: application/json"


async def send(run: Run, method: str, path: str, body: Any = None, *fields: str) -> Any:
    """Send a JSON request; return the status and the JSON value of the response."""
    data = b"" if body is None else json.dumps(body).encode()
    response = await run.server.fetch(path, JSON, *fields, method=method, body=data)
    return response.code, json.loads(response.body) if response.body else None


async def check_notes(run: Run) -> None:
    account = {"name": "ada", "password": "lovelace"}
    assert (await send(run, "POST", "/users", {"name": "ada", "password": "short"}))[0] == 422
    assert await send(run, "POST", "/users", account) == (201, {"name": "ada"})
    assert await send(run, "POST", "/users", account) == (
        409,
        {"error": {"status": 409, "message": "The name is taken."}},
    )
    with run.expect_log("tornado.general", ".*"):
        assert (await send(run, "POST", "/users", {"name": 1}))[0] == 400
        assert (await send(run, "POST", "/sessions", {**account, "password": "wrong"}))[0] == 401
        assert (await send(run, "POST", "/sessions", {**account, "name": "eve"}))[0] == 401
    status, answer = await send(run, "POST", "/sessions", account)
    assert (status, answer["expires_in"]) == (200, 3600)
    token = f"Authorization: Bearer {answer['access_token']}"
    assert (await send(run, "GET", "/notes"))[0] == 401
    assert await send(run, "POST", "/notes", {"text": "hello"}, token) == (201, {"id": 1, "text": "hello"})
    assert await send(run, "PUT", "/notes/1", {"text": "bye"}, token) == (200, {"id": 1, "text": "bye"})
    assert await send(run, "GET", "/notes/1", None, token) == (200, {"id": 1, "text": "bye"})
    listed = {"notes": [{"id": 1, "text": "bye"}], "total": 1}
    assert await send(run, "GET", "/notes", None, token) == (200, listed)
    assert await send(run, "DELETE", "/notes/1", None, token) == (204, None)
    assert (await send(run, "GET", "/notes/1", None, token))[0] == 404
    missing = {"error": {"status": 404, "message": "Not Found"}}
    assert await send(run, "GET", "/nothing") == (404, missing)
    assert await send(run, "DELETE", "/sessions", None, token) == (204, None)
    with run.expect_log("tornado.general", ".*invalid_token"):
        assert (await send(run, "GET", "/notes", None, token))[0] == 401


async def check_orders(run: Run) -> None:
    assert await send(run, "POST", "/orders", {"count": 3}) == (200, {"ordered": 3})
    with run.expect_log("tornado.general", ".*"):
        status, answer = await send(run, "POST", "/orders", {"count": "3"})
        assert (status, answer["error"]["message"]) == (400, "expected an object with an integer count")
        twice = await run.server.fetch("/orders", JSON, method="POST", body=b'{"count": 1, "count": 2}')
        assert twice.code == 400
        form = "Content-Type: application/x-www-form-urlencoded"
        assert (await run.server.fetch("/orders", form, method="POST", body=b"{}")).code == 415
        assert (await run.server.fetch("/orders", JSON, method="POST", body=b" " * 70_000)).code == 413


async def check_scopes(run: Run) -> None:
    """Valid tokens are accepted; each other request causes the error in the chapter's table."""
    anonymous = await run.server.fetch("/orders")
    assert (anonymous.code, anonymous.get("www-authenticate")) == (401, 'Bearer realm="orders"')
    assert (await run.server.fetch("/orders", "Authorization: Bearer r-5f2c")).code == 200
    written = await run.server.fetch("/orders", "Authorization: Bearer w-91be", method="POST", body=b"")
    assert written.code == 201
    rows = [
        ("GET", "Bearer other", 401, "invalid_token"),
        ("POST", "Bearer r-5f2c", 403, "insufficient_scope"),
        ("GET", "Bearer", 400, "invalid_request"),
        ("GET", "Bearer <>", 401, "invalid_token"),
    ]
    for method, field, code, error in rows:
        body = b"" if method == "POST" else None
        with run.expect_log("tornado.general", error):
            answer = await run.server.fetch("/orders", f"Authorization: {field}", method=method, body=body)
        assert answer.code == code
        assert f'error="{error}"' in answer.get("www-authenticate")
    with run.expect_log("tornado.general", ".*_xsrf"):
        assert (await run.server.fetch("/orders", method="POST", body=b"")).code == 403


async def check_cors(run: Run) -> None:
    asked = await run.server.fetch("/prices", "Origin: https://app.example.com", method="OPTIONS")
    assert (asked.code, asked.get("access-control-allow-origin")) == (204, "https://app.example.com")
    other = await run.server.fetch("/prices", "Origin: https://evil.example")
    assert other.get("access-control-allow-origin") is None
    assert json.loads(other.body) == {"EUR": 1.08}


async def check_versions(run: Run) -> None:
    first = await run.server.fetch("/document")
    assert first.get("etag") == '"3"'
    assert (await run.server.fetch("/document", 'If-None-Match: "3"')).code == 304
    status, changed = await send(run, "PUT", "/document", {"text": "new"}, 'If-Match: "3"')
    assert (status, changed) == (200, {"version": 4, "text": "new"})
    assert (await send(run, "PUT", "/document", {"text": "late"}, 'If-Match: "3"'))[0] == 412
