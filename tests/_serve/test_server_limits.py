from __future__ import annotations

import http.client
import inspect
from contextlib import closing

import pytest

from tests.support.serve import APPLICATION, configuration_of, run_command, serve, write_module
from tornado._serve.configuration import load
from tornado._serve.options import LIMITS
from tornado._serve.server_limits import server_options
from tornado.httpserver import HTTPServer, Protection
from tornado.web import Application


def test_limits_are_arguments_of_the_server():
    arguments = inspect.signature(HTTPServer.initialize).parameters
    assert arguments.keys() > LIMITS
    # All limits of a set of limits are options.
    assert {*inspect.signature(Protection).parameters} <= LIMITS


def test_options_that_are_not_given_keep_the_protection():
    assert server_options(configuration_of()) == {"protection": "default"}
    assert server_options(configuration_of("--protection=public")) == {"protection": "public"}


def test_given_limits_are_passed_on():
    configuration = load(
        ["app", "--max-body-size=10M", "--header-timeout=500ms"],
        {"WATERSPOUT_MAX_CONNECTIONS": "7", "WATERSPOUT_MIN_BODY_RATE": "2K"},
    )
    assert server_options(configuration) == {
        "protection": "default",
        "max_body_size": 10 << 20,
        "header_timeout": 0.5,
        "max_connections": 7,
        "min_body_rate": 2048,
    }


def test_off_removes_a_limit_of_the_protection():
    options = server_options(configuration_of("--protection=public", "--min-send-rate=off"))
    server = HTTPServer(Application(), **options)
    assert server.conn_params.protection.min_send_rate is None
    assert server.conn_params.protection.min_body_rate == 500


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--max-body-sise=1M", "unknown option --max-body-sise; did you mean --max-body-size?"),
        ("--max-body-size=0", "--max-body-size: expected a size such as 512M or 2G, got '0'"),
        ("--max-body-size=off", "--max-body-size: expected a size such as 512M or 2G, got 'off'"),
        ("--header-timeout=0", "--header-timeout: expected a duration above 0 such as 30, "),
        ("--min-body-rate=fast", "--min-body-rate: expected a number of bytes per second such as 500 or 2K"),
        ("--max-connections=0", "--max-connections: expected an integer of at least 1, or off, got '0'"),
    ],
)
def test_wrong_limits_are_reported(option, error, tmp_path):
    done = run_command(tmp_path, "serve", "app", option)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tornado serve: {error}")


@pytest.mark.parametrize("words", [["--workers=2"], ["--reload"]], ids=["workers", "one process"])
def test_limit_of_a_file_is_enforced(words, tmp_path):
    write_module(tmp_path, APPLICATION + "Hello.post = Hello.get\n")
    (tmp_path / "waterspout.toml").write_text('max_body_size = 10\nmax_header_size = "1K"\n')
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", "--access-log=off", *words) as service:
        port = service.port()
        for body, field, expected in [(b"x" * 10, "", 200), (b"x" * 11, "", 413), (b"", "x" * 1024, 431)]:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                connection.request("POST", "/", body, {"X-Field": field})
                assert connection.getresponse().status == expected
