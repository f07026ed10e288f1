"""docs/guide/protection.md. `tests/http1connection/test_protection.py` compares its table with the code."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from tests.support.guides import Run
from tests.support.server import Server
from tornado.netutil import bind_sockets


@contextlib.asynccontextmanager
async def listening(run: Run) -> AsyncIterator[Server]:
    """The program's server, on a port that the kernel chose."""
    server = run.program["server"]
    (listener,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listener])
    try:
        yield Server(server, listener, None)
    finally:
        server.stop()
        await server.close_all_connections()


async def refuses_many_fields(run: Run, limit: int) -> None:
    """A head with more fields than the limit is refused."""
    async with listening(run) as server:
        with run.expect_log("tornado.access", "431", required=False):
            response = await server.fetch("/", *(f"X-{number}: 1" for number in range(limit + 1)))
        assert response.code == 431


async def check_public(run: Run) -> None:
    assert (await run.server.fetch("/")).body == b"Hello"
    assert (await run.server.fetch("/", *(f"X-{number}: 1" for number in range(101)))).code == 431


async def check_single_values(run: Run) -> None:
    await refuses_many_fields(run, 100)


async def check_without_a_limit(run: Run) -> None:
    assert run.program["mine"].min_send_rate is None
    await refuses_many_fields(run, 100)


async def check_large_forms(run: Run) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
    body = part + b"x" * 2 * 1024**2 + b"\r\n--b--\r\n"
    kind = "Content-Type: multipart/form-data; boundary=b"
    async with listening(run) as server:
        response = await server.fetch("/photos", kind, method="POST", body=body)
        assert response.body == b"1 photos"


async def check_rate_limit(run: Run) -> None:
    async with listening(run) as server:
        with run.expect_log("tornado.access", "429"):
            codes = [(await server.fetch("/search")).code for _ in range(3)]
        assert codes == [200, 200, 429]
    limit = run.program["RateLimit"](1, max_keys=2)
    assert [limit.allows(key) for key in ("a", "a", "b", "c", "a")] == [True, False, True, True, True]
