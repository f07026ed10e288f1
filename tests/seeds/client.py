"""An HTTP client that stores cookies like a browser, and does not follow redirects."""

from __future__ import annotations

import http.client
import http.cookies
import json
from typing import Any
from urllib.parse import urlencode

from tests.support.program import Program


class Answer:
    """A response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.code = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """A client of one program, which sends each request on a new connection."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.cookies: dict[str, str] = {}

    def get(self, path: str = "/", **headers: str) -> Answer:
        return self.request("GET", path, None, headers)

    def post(self, path: str = "/", **fields: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", path, urlencode(fields).encode(), kind)

    def request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self._program.connect()
        try:
            if self.cookies:
                pairs = [f"{name}={value}" for name, value in self.cookies.items()]
                headers = {**headers, "Cookie": "; ".join(pairs)}
            connection.request(method, path, body, headers)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.coded_value
                if not morsel.value:
                    del self.cookies[name]
        return answer
