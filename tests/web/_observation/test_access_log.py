"""The setting ``access_log``: the formats of the lines."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.observation import FinishedRequest, json_lines_of, lines_of
from tests.support.server import ExpectLog, serving
from tests.support.threads import in_other_thread
from tornado import web
from tornado.web._observation import _access_log
from tornado.web._observation._log_writer import LogWriter
from tornado.web._observation._request_metrics import Series

COMBINED = re.compile(
    r"127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"(?P<line>[^ ]+ .* HTTP/1\.[01])" '
    r'(?P<status>\d{3}) (?P<size>\d+|-)(?: "(?P<referer>.*?)" "(?P<agent>.*)")?'
)


class Item(web.RequestHandler):
    def get(self, number: str) -> None:
        self.write(number)

    def delete(self, number: str) -> None:
        self.set_status(204)


def application_with(log_format: str, path: Path, **settings: Any) -> web.Application:
    return web.Application([(r"/item/(.*)", Item)], access_log=log_format, access_log_file=path, **settings)


async def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    application = application_with("json", path, request_id=True)
    async with serving(application, xheaders=True) as server:
        peer = await server.connect()
        fields = ('User-Agent: a "test"', "Referer: http://x/", "X-Real-Ip: 192.0.2.7", "X-Request-Id: one")
        await peer.fetch("/item/12?a=%22", *fields)
        await peer.fetch("/item/3", method="DELETE")
        await peer.fetch('/missing"\\')
        await peer.fetch("/item/1", "user-agent:\tlower ")
    first, second, third, fourth = json_lines_of(application, path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert 0 <= first.pop("duration_us") < 60_000_000
    assert first == {
        "remote_ip": "192.0.2.7",
        "method": "GET",
        "target": "/item/12?a=%22",
        "route": "/item/(.*)",
        "version": "HTTP/1.1",
        "status": 200,
        "size": 2,
        "user_agent": 'a "test"',
        "referer": "http://x/",
        "request_id": "one",
    }
    assert (second["method"], second["status"], second["size"]) == ("DELETE", 204, 0)
    assert "user_agent" not in second
    assert (third["target"], third["route"], third["status"]) == ('/missing"\\', None, 404)
    assert fourth["user_agent"] == "lower"


@pytest.mark.parametrize("log_format", ["common", "combined"])
async def test_common_and_combined_lines(log_format: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    application = application_with(log_format, path)
    async with serving(application) as server:
        await server.fetch("/item/12", 'User-Agent: a "quoted" one', "Referer: http://x/")
        await server.fetch('/"', version="HTTP/1.0")
        await server.fetch("/item/3", method="DELETE")
    found = [COMBINED.fullmatch(line) for line in lines_of(application, path)]
    first, second, third = [each.groupdict() for each in found if each is not None]
    combined = log_format == "combined"
    assert first == {
        "line": "GET /item/12 HTTP/1.1",
        "status": "200",
        "size": "2",
        "referer": "http://x/" if combined else None,
        "agent": r"a \"quoted\" one" if combined else None,
    }
    assert (second["line"], second["agent"]) == (r"GET /\" HTTP/1.0", "-" if combined else None)
    assert (third["status"], third["size"]) == ("204", "-")


@pytest.mark.parametrize("log_format", ["common", "combined", "json"])
async def test_client_cannot_forge_a_line(log_format: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    application = application_with(log_format, path)
    async with serving(application) as server:
        await server.fetch("/item/\x85\xe9", "User-Agent: \x85{}\u00e9", 'Referer: \t"}\\')
    (line,) = lines_of(application, path)
    assert line.isascii()
    if log_format == "json":
        assert json.loads(line)["user_agent"] == "\x85{}\u00e9"


async def test_logger_is_not_used_in_addition(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "access.log"
    application = application_with("json", path)
    async with serving(application, access_log=logging.INFO) as server:
        await server.fetch("/item/1")
    assert len(lines_of(application, path)) == 1
    assert [each for each in caplog.records if each.name == "tornado.access"] == []


async def test_request_refused_by_the_server_has_a_line(tmp_path: Path, expect_log: ExpectLog) -> None:
    path = tmp_path / "access.log"
    application = application_with("json", path)
    async with serving(application) as server:
        with expect_log("tornado.general", ".*", required=False):
            await server.exchange(b"GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    (line,) = json_lines_of(application, path)
    assert (line["target"], line["status"], line["route"]) == ("/bad", 400, None)


async def test_caches_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    application = application_with("json", path)
    async with serving(application) as server:
        peer = await server.connect()
        for number in range(1200):
            await peer.fetch("/item/1", f"User-Agent: {number}")
    assert [each["user_agent"] for each in json_lines_of(application, path)] == [*map(str, range(1200))]


def test_unknown_format_and_file_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="access_log must be one of off, common, combined, json, got 'xml'"):
        web.Application(access_log="xml")
    with pytest.raises(TypeError, match="access_log_file must be the path of a file, got 3"):
        web.Application(access_log="json", access_log_file=3)


@pytest.mark.parametrize("settings", [{"access_log": "off"}, {"access_log": None}, {"metrics": False}])
def test_settings_that_are_off_observe_nothing(settings: dict[str, Any]) -> None:
    assert web.Application(**settings).observer is None


def test_line_of_another_thread_at_the_beginning_of_a_second(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = _access_log.AccessLog("json", LogWriter(str(tmp_path / "log")))
    request: Any = FinishedRequest(None, "GET")
    request.uri, request.version, request.remote_ip, request.headers = "/", "HTTP/1.1", "192.0.2.7", {}
    request.wait_time = lambda: 0.0
    series = Series(None, "GET", 200)
    original = _access_log.time.strftime

    def strftime(*args: Any) -> str:
        monkeypatch.setattr(_access_log.time, "strftime", original)
        in_other_thread(lambda: log.add(request, series, 1_000_000_000.5, 0.1, 7))
        return original(*args)

    monkeypatch.setattr(_access_log.time, "strftime", strftime)
    log.add(request, series, 1_000_000_000.25, 0.1, 7)
    log.writer.close()
    times = [json.loads(line)["time"] for line in (tmp_path / "log").read_text().splitlines()]
    assert times == ["2001-09-09T01:46:40.500Z", "2001-09-09T01:46:40.250Z"]
