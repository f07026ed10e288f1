"""Forged fields whose names resemble those that a proxy sets.

In CGI, and therefore in WSGI, a hyphen and an underscore in a field name map to the same character. If a
proxy sets ``X-Forwarded-For`` but forwards ``X_Forwarded_For`` unchanged, its value could be joined with the
client's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.server import serving
from tornado import httputil, wsgi

FIELDS = {
    "X-Real-Ip": ("192.0.2.1", "6.6.6.6"),
    "X-Forwarded-For": ("192.0.2.1", "6.6.6.6"),
    "X-Scheme": ("https", "http"),
    "X-Forwarded-Proto": ("https", "http"),
}


def answer(request: httputil.HTTPServerRequest) -> None:
    """Respond with the address and protocol of the request."""
    body = json.dumps({"ip": request.remote_ip, "protocol": request.protocol}).encode()
    connection = request.connection
    assert connection is not None
    headers = httputil.HTTPHeaders({"Content-Length": str(len(body))})
    connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
    connection.finish()


def program(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Respond with the address, protocol and fields, as a WSGI application."""
    shown = {name: value for name, value in environ.items() if name.startswith("HTTP_X")}
    seen = {"ip": environ["REMOTE_ADDR"], "protocol": environ["wsgi.url_scheme"], "fields": shown}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


async def seen(application: Any, *fields: str) -> dict[str, Any]:
    """Return the response of a server behind a proxy to a request with these fields."""
    async with serving(application, xheaders=True) as server:
        response = await server.fetch("/", *fields)
    found: dict[str, Any] = json.loads(response.body)
    return found


def underscored(name: str) -> list[str]:
    """Return spellings that map to the same name in CGI."""
    return [name.replace("-", "_"), name.replace("-", "_", 1), name.lower().replace("-", "_")]


@pytest.mark.parametrize("wsgi_program", [False, True])
@pytest.mark.parametrize("name", FIELDS)
async def test_field_with_underscore_is_ignored(name: str, wsgi_program: bool) -> None:
    application = wsgi.WSGIContainer(program) if wsgi_program else answer
    for spelling in underscored(name):
        found = await seen(application, f"{spelling}: {FIELDS[name][0]}")
        assert (found["ip"], found["protocol"]) == ("127.0.0.1", "http")
        assert found.get("fields", {}) == {}


@pytest.mark.parametrize("forged_first", [False, True])
@pytest.mark.parametrize("wsgi_program", [False, True])
@pytest.mark.parametrize("name", FIELDS)
async def test_field_with_underscore_does_not_affect_real_one(
    name: str, wsgi_program: bool, forged_first: bool
) -> None:
    """The server uses only the field that the proxy sets, not the forged one."""
    told, forged = FIELDS[name]
    application = wsgi.WSGIContainer(program) if wsgi_program else answer
    for spelling in underscored(name):
        lines = [f"{name}: {told}", f"{spelling}: {forged}"]
        found = await seen(application, *(reversed(lines) if forged_first else lines))
        assert told in (found["ip"], found["protocol"])
        if wsgi_program:
            assert found["fields"] == {"HTTP_" + name.upper().replace("-", "_"): told}
