from __future__ import annotations

import pytest

from tests.support.admin import Supervisor, administration
from tornado._serve.admin.access import Access
from tornado.web import LOCAL_HOSTS


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/errors", "/metrics", "/readyz", "/login"])
async def test_host_of_another_site_is_rejected(path, expect_log):
    """A page of another site whose name resolves to 127.0.0.1 (DNS rebinding) cannot read anything."""
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            with expect_log("tornado.general", "'evil.example:[0-9]+' is not in the application's setting"):
                response = await server.fetch(path, f"Host: evil.example:{server.port}")
            assert response.code == 421
            assert (await server.fetch(path, f"Host: 127.0.0.1:{server.port}")).code == 200


async def test_any_host_is_allowed_where_a_token_is_required():
    with Supervisor() as supervisor:
        async with administration(supervisor, Access("a" * 16, None)) as server:
            assert (await server.fetch("/login", "Host: admin.example")).code == 200


@pytest.mark.parametrize("path", ["/", "/login", "/api/status", "/static/dashboard.js", "/missing"])
async def test_policy_allows_no_inline_script_and_no_frame(path):
    with Supervisor() as supervisor:
        async with administration(supervisor, Access(None, tuple(LOCAL_HOSTS))) as server:
            response = await server.fetch(path)
            policy = response.get("Content-Security-Policy")
            assert "default-src 'none'; script-src 'self';" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.get("X-Content-Type-Options") == "nosniff"
            assert response.get("Referrer-Policy") == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/login"])
async def test_pages_have_no_inline_script_or_style(path):
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            page = (await server.fetch(path)).body.decode()
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script type="module" src=')
    assert " on" not in page.replace(" only", "").replace(" one ", "").replace(" on ", " ")


async def test_requests_are_not_in_the_access_log(caplog):
    with Supervisor() as supervisor:
        async with administration(supervisor, access_log=0) as server:
            await server.fetch("/api/status")
            await server.fetch("/missing")
    assert not [record for record in caplog.records if record.name == "tornado.access"]
