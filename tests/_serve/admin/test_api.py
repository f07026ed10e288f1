from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.admin import (
    ACCESS,
    TOKEN,
    Supervisor,
    administration,
    error,
    record,
    request,
    series,
    snapshot,
    status,
)
from tests.support.server import Response, Server

BEARER = f"Authorization: Bearer {TOKEN}"
JSON = "Accept: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
ERROR = error(count=2)


async def read(server: Server, path: str) -> Any:
    response = await server.fetch(path, JSON)
    assert response.code == 200, response.body
    return json.loads(response.body)


async def act(server: Server, path: str, body: bytes = b"", *fields: str) -> Response:
    return await server.fetch(f"/api/{path}", JSON, FORM, *fields, method="POST", body=body)


async def test_status_has_the_service_its_workers_and_the_last_values():
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            found = await read(server, "/api/status")
    assert found["service"]["state"] == "serving"
    assert [(worker["pid"], worker["now"]) for worker in found["workers"]] == [(1, None), (2, None)]
    assert found["point"] is None
    assert found["xsrf"]


async def test_requests_and_errors_come_from_all_workers():
    with Supervisor() as supervisor:
        supervisor.answers["requests"] = {
            1: [request(age=1.0, stack=["app.py:1 in get"])],
            2: [request(age=2.0)],
        }
        supervisor.answers["errors"] = {2: [ERROR]}
        async with administration(supervisor) as server:
            assert [each["pid"] for each in (await read(server, "/api/requests"))["requests"]] == [2, 1]
            (found,) = (await read(server, "/api/errors"))["errors"]
    assert (found["traceback"], found["pid"], found["count"]) == ("long", 2, 2)


async def test_log_of_a_request_is_returned_or_404():
    with Supervisor() as supervisor:
        supervisor.answers["log"] = {2: [record(message="one")]}
        async with administration(supervisor) as server:
            found = await read(server, "/api/requests/a%2Fb/log")
            assert found == {"id": "a/b", "records": [record(message="one")]}
            supervisor.answers["log"] = {2: []}
            response = await server.fetch("/api/requests/xyz/log", JSON)
    assert response.code == 404
    assert json.loads(response.body)["error"]["message"] == "no log record of the request 'xyz' is kept"


async def test_metrics_are_those_of_all_workers_and_of_ended_ones():
    with Supervisor() as supervisor:
        supervisor.answers["metrics"] = {1: snapshot(series(3)), 2: snapshot(series(4))}
        async with administration(supervisor) as server:
            await server.fetch("/metrics")
            supervisor.status = {**status(2, killed=1), "serving": 1}
            response = await server.fetch("/metrics")
    assert response.get("Content-Type").startswith("text/plain; version=")
    lines = response.body.decode().splitlines()
    assert any(
        line.startswith("http_server_request_duration_seconds_count{") and line.endswith(" 7.0")
        for line in lines
    )
    assert 'tornado_workers_restarts_total{reason="killed"} 1.0' in lines


@pytest.mark.parametrize(
    ("path", "body", "action", "arguments"),
    [
        ("reload", b"", "reload", {}),
        ("drain", b"", "drain", {}),
        ("scale", b"workers=4", "scale", {"workers": 4}),
        ("restart/1", b"", "restart", {"worker": 1}),
    ],
)
async def test_action_is_passed_on(path, body, action, arguments, caplog):
    caplog.set_level("INFO", "tornado.general")
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            response = await act(server, path, body, BEARER)
        assert response.code == 202
        message = supervisor.received[-1]
        assert (message["type"], message["action"], message["arguments"]) == ("act", action, arguments)
    assert f"--admin: {action} requested by 127.0.0.1" in caplog.text


@pytest.mark.parametrize("body", [b"", b"workers=x", b"workers=0", b"workers=1001"])
async def test_wrong_number_of_workers_is_rejected(body, expect_log):
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            with expect_log("tornado.general", "400 POST /api/scale", required=False):
                response = await act(server, "scale", body, BEARER)
        assert response.code == 400
        assert b"workers" in response.body
        assert not [each for each in supervisor.received if each["type"] == "act"]


async def test_impossible_action_is_refused_with_the_reason():
    with Supervisor() as supervisor:
        supervisor.refusal = "the service is stopping"
        async with administration(supervisor, ACCESS) as server:
            response = await act(server, "reload", b"", BEARER)
    assert response.code == 409
    text = json.loads(response.body)["error"]["message"]
    assert text == "reload is impossible now: the service is stopping"


@pytest.mark.parametrize("path", ["reload", "drain", "scale", "restart/0"])
async def test_action_without_the_xsrf_token_is_rejected(path, expect_log):
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            with expect_log("tornado.general", "_xsrf"):
                response = await act(server, path)
        assert response.code == 403
        assert not [each for each in supervisor.received if each["type"] == "act"]


async def test_action_with_the_xsrf_token_of_the_status_is_accepted():
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            token = (await read(server, "/api/status"))["xsrf"]
            fields = (f"Cookie: waterspout_admin_xsrf={token}", f"X-XSRFToken: {token}")
            assert (await act(server, "reload", b"", *fields)).code == 202


@pytest.mark.parametrize("field", ["Sec-Fetch-Site: cross-site", "Origin: http://evil.example"])
async def test_action_of_a_page_of_another_site_is_rejected(field, expect_log):
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            token = (await read(server, "/api/status"))["xsrf"]
            fields = (f"Cookie: waterspout_admin_xsrf={token}", f"X-XSRFToken: {token}", field)
            with expect_log("tornado.general", "not allowed"):
                assert (await act(server, "reload", b"", *fields)).code == 403


async def test_action_by_get_is_not_allowed():
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            assert (await server.fetch("/api/reload")).code == 405


async def test_unanswered_request_is_reported(clock, expect_log):
    with Supervisor() as supervisor:
        supervisor.silent = {"status", "ask", "act"}
        async with administration(supervisor) as server:
            for path in ("/api/status", "/api/requests", "/api/errors", "/metrics"):
                with expect_log("tornado.general", "the supervisor has not answered within 2 s"):
                    assert (await server.fetch(path)).code == 503


async def test_events_begin_with_the_history_and_the_state_and_follow_each_second(clock):
    with Supervisor() as supervisor:
        supervisor.answers["metrics"] = {1: snapshot(series(3))}
        async with administration(supervisor, collects=True) as server:
            peer = await server.connect()
            peer.get("/events")
            head = await peer.reader.readuntil(b"\r\n\r\n")
            assert b"Content-Type: text/event-stream" in head
            text = await peer.reader.readuntil(b'"errors": []}\n\n')
            assert text.index(b"retry: 1000") < text.index(b"event: history") < text.index(b"event: state")
            text = await peer.reader.readuntil(b'"errors": []}\n\n')
            event = json.loads(text.partition(b"data: ")[2].partition(b"\n")[0])
            assert event["service"]["target"] == "app"
            assert event["point"]["time"]
            await peer.close()
