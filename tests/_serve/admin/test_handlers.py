from __future__ import annotations

import re

import pytest

from tests.support.admin import ACCESS, TOKEN, Supervisor, administration, status
from tests.support.server import Response, Server


def cookies(response: Response) -> dict[str, str]:
    return dict(each.split(";")[0].split("=", 1) for each in response.get_all("Set-Cookie"))


async def log_in(server: Server, token: str = TOKEN) -> tuple[Response, dict[str, str]]:
    form = await server.fetch("/login")
    found = re.search(rb'name="_xsrf" value="([^"]+)"', form.body)
    assert found is not None
    jar = cookies(form)
    header = "Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.items())
    body = b"_xsrf=" + found[1].replace(b"|", b"%7C") + b"&token=" + token.encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    return await server.fetch("/login", header, kind, method="POST", body=body), jar


@pytest.mark.parametrize("path", ["/api/status", "/api/requests", "/api/errors", "/metrics", "/events"])
async def test_request_without_the_token_is_rejected(path, expect_log):
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            response = await server.fetch(path)
            assert response.code == 401
            assert response.get("WWW-Authenticate") == 'Bearer realm="administration"'
            with expect_log("tornado.general", "invalid_token"):
                wrong = await server.fetch(path, "Authorization: Bearer wrong")
            assert wrong.code == 401


async def test_bearer_token_is_accepted():
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            response = await server.fetch("/api/status", f"Authorization: Bearer {TOKEN}")
            assert response.code == 200
            assert b'"xsrf": null' in response.body


async def test_browser_without_the_token_is_sent_to_the_form():
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            response = await server.fetch("/")
            assert (response.code, response.get("Location")) == (302, "login")


async def test_login_sets_a_cookie_that_other_sites_cannot_use():
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            response, _ = await log_in(server)
            assert (response.code, response.get("Location")) == (302, "./")
            field = response.get("Set-Cookie")
            assert field.startswith(f"{ACCESS.cookie_name}=")
            assert "SameSite=Strict" in field
            assert "HttpOnly" in field
            assert "expires=" in field
            cookie = f"Cookie: {ACCESS.cookie_name}={cookies(response)[ACCESS.cookie_name]}"
            assert (await server.fetch("/", cookie)).code == 200
            assert (await server.fetch("/api/status", cookie)).code == 200


async def test_wrong_token_does_not_log_in(expect_log):
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            with expect_log("tornado.general", "login from 127.0.0.1 with a wrong token"):
                response, _ = await log_in(server, "wrong")
            assert response.code == 403
            assert b"The token is wrong" in response.body
            assert response.get("Set-Cookie") is None


async def test_login_from_another_site_is_rejected(expect_log):
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            with expect_log("tornado.general", "_xsrf"):
                response = await server.fetch("/login", method="POST", body=f"token={TOKEN}".encode())
            assert response.code == 403


async def test_cookie_of_another_token_is_not_accepted():
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            cookie = f'Cookie: {ACCESS.cookie_name}="2|1:0|10:1700000000|4:name|4:MQ==|{"0" * 64}"'
            assert (await server.fetch("/api/status", cookie)).code == 401


async def test_logout_removes_the_cookie():
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            authorization = f"Authorization: Bearer {TOKEN}"
            response = await server.fetch("/logout", authorization, method="POST", body=b"")
            assert (response.code, response.get("Location")) == (302, "login")
            assert response.get("Set-Cookie").startswith(f'{ACCESS.cookie_name}="";')


async def test_health_checks_need_no_token():
    with Supervisor() as supervisor:
        async with administration(supervisor, ACCESS) as server:
            for path, body in (("/livez", b"live\n"), ("/readyz", b"ready\n")):
                response = await server.fetch(path)
                assert (response.code, response.body) == (200, body)
                assert response.get("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("state", "serving", "code"),
    [
        ("serving", 1, 200),
        ("reloading", 1, 200),
        ("upgrading", 2, 200),
        ("serving", 0, 503),
        ("starting", 0, 503),
        ("stopping", 2, 503),
    ],
)
async def test_service_is_ready_while_a_worker_serves_and_it_does_not_end(state, serving, code):
    with Supervisor() as supervisor:
        supervisor.status = {**status(1, state=state), "serving": serving}
        async with administration(supervisor) as server:
            response = await server.fetch("/readyz")
            assert response.code == code
            assert (await server.fetch("/livez")).code == 200


@pytest.mark.parametrize(
    ("problems", "code", "text"),
    [
        ([[], []], 200, "ready\n"),
        ([["no broker for 12 s"], []], 200, "ready: worker 0: no broker for 12 s\n"),
        ([["a"], ["b"]], 503, "not ready: worker 0: a; worker 1: b\n"),
    ],
)
async def test_service_is_ready_while_a_worker_has_no_problem(problems, code, text):
    with Supervisor() as supervisor:
        supervisor.status = {**status(1, 2), "serving": 2}
        for worker, found in zip(supervisor.status["workers"], problems, strict=True):
            worker.update(state="serving", stats={"problems": found})
        async with administration(supervisor) as server:
            response = await server.fetch("/readyz")
            assert (response.code, response.body.decode()) == (code, text)


async def test_health_checks_fail_while_the_supervisor_does_not_answer(clock):
    with Supervisor() as supervisor:
        async with administration(supervisor) as server:
            supervisor.silent = {"status"}
            for path in ("/livez", "/readyz"):
                response = await server.fetch(path)
                assert response.code == 503
                assert b"the supervisor does not answer" in response.body
