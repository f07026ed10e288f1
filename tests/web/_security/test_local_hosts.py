"""The hosts for which tracebacks are sent."""

from __future__ import annotations

import pytest

from tests.support.server import ExpectLog
from tests.web._debug.test_error_response import BROWSER, page
from tornado._log_rate_limit import LogRateLimit
from tornado.log import app_log
from tornado.web._security import _local_hosts


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("localhost", True),
        ("LocalHost:8888", True),
        ("localhost.", True),
        ("app.localhost:80", True),
        ("127.0.0.1:8888", True),
        ("[::1]:8888", True),
        ("192.168.1.7", True),
        ("evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("localhost.evil.com", False),
        ("notlocalhost", False),
        ("127.1", False),
    ],
)
@pytest.mark.parametrize("accept", [BROWSER, "Accept: application/json"])
async def test_traceback_is_not_sent_for_host_that_may_be_another_site(
    host: str, shown: bool, accept: str, expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_local_hosts, "_log_limit", LogRateLimit(app_log))
    words = "serve_traceback: not sending the traceback .*allowed_hosts"
    with expect_log("tornado.application", words, required=not shown):
        response = await page(expect_log, None, accept, f"Host: {host}")
    assert response.code == 500
    assert (b"ValueError" in response.body) is shown
    if not shown:
        plain = b"<html><title>500: Internal" if accept is BROWSER else b'{"error": {"status": 500'
        assert response.body.startswith(plain)


async def test_allowed_host_receives_page(expect_log: ExpectLog) -> None:
    response = await page(expect_log, None, BROWSER, "Host: dev.example", allowed_hosts=["dev.example"])
    assert b"ValueError" in response.body
