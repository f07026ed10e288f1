"""``python -m tornado serve`` with an ASGI application."""

from __future__ import annotations

import signal
import urllib.request
from pathlib import Path

import pytest

from tests.support.serve import serve, write_module

APPLICATION = """
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["value"] = "ready"
            await send({{"type": "lifespan.startup.{0}", "message": "no database"}})
            await receive()
            print("shutdown", flush=True)
            await send({{"type": "lifespan.shutdown.complete"}})
            return
        await send({{"type": "http.response.start", "status": 200}})
        await send({{"type": "http.response.body", "body": scope["state"]["value"].encode()}})

    async def factory():
        return app
"""


@pytest.mark.parametrize("target", ["app", "app:factory"])
def test_application_with_its_lifespan(tmp_path: Path, target: str) -> None:
    write_module(tmp_path, APPLICATION.format("complete"))
    with serve(tmp_path, target, "--bind=127.0.0.1:0") as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port()}/") as response:
            assert response.read() == b"ready"
        server.signal(signal.SIGTERM)
        server.wait_for("^shutdown$")
        assert server.end() == 0


def test_failed_startup_ends_the_start(tmp_path: Path) -> None:
    write_module(
        tmp_path,
        APPLICATION.format("failed").replace(
            "await receive()\n            print", "return\n            print"
        ),
    )
    with serve(tmp_path, "app", "--bind=127.0.0.1:0") as server:
        assert server.end() != 0
    assert "the startup of the ASGI application has failed: no database" in server.output
