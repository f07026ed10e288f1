"""The demo of a service: its load, its access log, its metrics, and the dashboard in Chromium."""

from __future__ import annotations

import json
import select
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import ROOT
from tests.support.serve import Served
from tests.support.supervisor import children, ends


class Service(Served):
    """The demo, with a higher load.

    :ivar admin: the URL of the administration.
    """

    def __init__(self, folder: Path) -> None:
        script = str(ROOT / "demos/service/main.py")
        super().__init__(folder, [script, "--port=0", "--rate=50", "--log=requests.log"])
        self.admin = ""

    def __enter__(self) -> Service:
        try:
            self.port()
            self.admin = self.wait_for(r"administration on (http://\S+)")[1]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def clients(self) -> int:
        """Return the process ID of the load."""
        pids = children(self.process.pid)
        (found,) = [pid for pid in pids if b"load.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return found

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        self.end()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        yield running


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a JSON access log, which may still be written."""
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_requests_are_logged_and_clients_end_with_the_service(service, tmp_path):
    clients = service.clients()
    service.wait_for("KeyError")
    log = tmp_path / "requests.log"
    end = time.monotonic() + 60
    while not {"/", "/items/([0-9]+)"} <= {line["route"] for line in lines_of(log)}:
        assert time.monotonic() < end, log.read_text()
        select.select([], [], [], 0.01)
    service.stop()
    assert ends(clients)
    lines = lines_of(log)
    (failed,) = [line for line in lines if line["status"] == 500][:1]
    assert failed["route"] == r"/orders/(\w+)"
    assert len(failed["request_id"]) == 32
    assert "looking for order A1" in service.output
    # Clients that lose their connection say nothing.
    assert "load.py" not in service.output


def test_clients_end_when_the_supervisor_is_killed(service):
    clients = service.clients()
    service.signal(signal.SIGKILL)
    assert ends(clients)


@pytest.mark.browser
def test_dashboard_shows_the_load(service, browser):
    from playwright.sync_api import expect

    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(service.admin)
    expect(page.locator("#workers tr")).to_have_count(2)
    hung = page.locator("#requests details", has_text="/warehouse")
    hung.locator("summary").click()
    expect(hung.locator("pre")).to_contain_text("in WarehouseHandler.get: self.write(await answer)")
    expect(page.locator("#routes")).to_contain_text("/search", timeout=30_000)
    failed = page.locator("#errors details")
    failed.locator("summary").click(timeout=60_000)
    expect(failed.locator("pre")).to_contain_text("KeyError: 'A1'")
    page.close()
    assert errors == []
    with urllib.request.urlopen(f"{service.admin}/metrics", timeout=60) as response:
        metrics = response.read().decode()
    assert 'tornado_connections{kind="websocket"} 3.0' in metrics
    assert 'tornado_connections{kind="event_stream"} 1.0' in metrics
    service.stop()
