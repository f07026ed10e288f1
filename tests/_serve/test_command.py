"""The commands, in processes as a user starts them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import time

import pytest

from tests.support.serve import APPLICATION, run_command, serve, write_module
from tornado._serve import command

SLOW = """
import asyncio, time
from tornado import web

class Slow(web.RequestHandler):
    async def get(self):
        print("handling", flush=True)
        await asyncio.sleep({seconds})
        self.write("done")

class Blocking(web.RequestHandler):
    def get(self):
        print("handling", flush=True)
        time.sleep(600)

application = web.Application([("/", Slow), ("/blocking", Blocking)])
"""

#: Prints the arguments of `HTTPServer.drain`.
SHOWS_DRAIN = """
import os

from tornado.httpserver import HTTPServer

drain = HTTPServer.drain

async def show_drain(self, grace, **options):
    os.write(1, f"draining with {options}\\n".encode())  # in one call: the supervisor logs at the same time
    return await drain(self, grace, **options)

HTTPServer.drain = show_drain
"""


def get(port, path="/", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    body = connection.getresponse().read()
    connection.close()
    return body


def send_request(port, path="/"):
    """Send a request on a new connection, and return the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    return connection


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_with_status_0(tmp_path, loop, number):
    write_module(tmp_path, APPLICATION)
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", f"--loop={loop}") as server:
        port = server.port()
        assert get(port) == b"Hello"
        server.signal(number)
        assert server.end() == 0
    assert "200 GET /" in server.output
    assert "Traceback" not in server.output


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_request_is_answered_after_the_signal(tmp_path, loop):
    write_module(tmp_path, SLOW.format(seconds=0.3))
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", f"--loop={loop}") as server:
        connection = send_request(server.port())
        server.wait_for("handling")
        server.signal(signal.SIGTERM)
        assert connection.getresponse().read() == b"done"
        connection.close()
        assert server.end() == 0


@pytest.mark.parametrize("path", ["/", "/blocking"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_second_signal_ends_the_server_at_once(tmp_path, loop, path):
    """Also while a handler blocks the event loop."""
    write_module(tmp_path, SLOW.format(seconds=600))
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", "--bind=unix:s", f"--loop={loop}") as server:
        connection = send_request(server.port(), path)
        server.wait_for("handling")
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)
        # The order in which simultaneous signals are handled is not defined.
        assert server.end() in (128 + signal.SIGINT, 128 + signal.SIGTERM)
        connection.close()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "source",
    [
        "import time\nprint('starting', flush=True)\ntime.sleep(600)",
        "import asyncio\nasync def app():\n  print('starting', flush=True)\n  await asyncio.sleep(600)",
        "import time\ndef app():\n  print('starting', flush=True)\n  time.sleep(600)",
    ],
)
def test_signal_while_the_program_starts_ends_it(tmp_path, source):
    write_module(tmp_path, source)
    with serve(tmp_path, "app", "--bind=unix:s") as server:
        server.wait_for("starting")
        server.signal(signal.SIGTERM)
        if "\ndef app" in source:
            server.signal(signal.SIGINT)  # the event loop runs, but cannot handle the first one
            assert server.end() in (128 + signal.SIGINT, 128 + signal.SIGTERM)
        else:
            assert server.end() == 0
    assert server.output.startswith("starting\n")
    assert "Traceback" not in server.output
    assert not (tmp_path / "s").exists()


def test_request_over_the_grace_period_is_cut_and_the_status_is_1(tmp_path):
    write_module(tmp_path, SLOW.format(seconds=600))
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", "--grace=50ms") as server:
        connection = send_request(server.port())
        server.wait_for("handling")
        server.signal(signal.SIGTERM)
        with contextlib.suppress(http.client.RemoteDisconnected):
            assert connection.getresponse().status >= 500
        connection.close()
        assert server.end() == 1
    assert "cut off after the grace period of 0.05 s" in server.output


@pytest.mark.parametrize("kind", [[], ["--reload"]])
def test_batches_of_the_drain_are_options(tmp_path, kind):
    write_module(tmp_path, SHOWS_DRAIN + APPLICATION)
    options = ["--drain-batch-size=100", "--drain-batch-interval=1.5s"]
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", *options, *kind) as server:
        server.port()
        server.signal(signal.SIGTERM)
        assert server.end() == 0
    assert "draining with {'batch_size': 100, 'batch_interval': 1.5}\n" in server.output


def test_unix_socket(tmp_path):
    write_module(tmp_path, APPLICATION)
    with serve(tmp_path, "app", "--bind=unix:s", "--socket-mode=600") as server:
        server.wait_for("serving app on unix:s")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"\r\n\r\nHello")
        server.signal(signal.SIGTERM)
        assert server.end() == 0
    assert not (tmp_path / "s").exists()


def test_passed_descriptor(tmp_path):
    write_module(tmp_path, APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        descriptor = sock.fileno()
        with serve(tmp_path, "app", f"--bind=fd:{descriptor}", descriptors=[descriptor]) as server:
            port = server.port()
            assert port == sock.getsockname()[1]
            assert get(port) == b"Hello"
            server.signal(signal.SIGTERM)
            assert server.end() == 0


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("app:make_app", f"{APPLICATION}\nasync def make_app(): return application"),
        ("app", "def app(environ, start):\n  start('200 OK', [])\n  return [b'Hello']"),
    ],
)
def test_factories_and_wsgi_applications(tmp_path, target, source):
    write_module(tmp_path, source)
    with serve(tmp_path, target, "--bind=127.0.0.1:0") as server:
        assert get(server.port()) == b"Hello"
        server.signal(signal.SIGTERM)
        assert server.end() == 0


def test_fields_of_trusted_proxies_only_are_used(tmp_path):
    write_module(tmp_path, APPLICATION.replace('"Hello"', "self.request.remote_ip"))
    fields = {"X-Forwarded-For": "192.0.2.7"}
    for trusted, expected in (("127.0.0.0/8", b"192.0.2.7"), ("10.0.0.0/8,unix", b"127.0.0.1")):
        with serve(tmp_path, "app", "--bind=127.0.0.1:0", f"--trusted-proxies={trusted}") as server:
            assert get(server.port(), **fields) == expected
            server.signal(signal.SIGTERM)
            assert server.end() == 0


def test_certificate_is_replaced_while_a_connection_stays_open(tmp_path, certificates):
    import trustme

    write_module(tmp_path, APPLICATION)
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def write():
        made = authority.issue_cert("localhost")
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / "new.pem")
        os.replace(tmp_path / "new.pem", tmp_path / "server.pem")

    def connect():
        connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=context)
        connection.connect()
        return connection, connection.sock.getpeercert()["serialNumber"]

    def ask(connection):
        connection.request("GET", "/")
        return connection.getresponse().read()

    write()
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", "--certificate=server.pem") as server:
        port = server.port()
        first, serial = connect()
        assert ask(first) == b"Hello"
        write()
        began = time.monotonic()
        server.wait_for("the certificate 'server.pem' changed; new connections use it")
        assert time.monotonic() - began < 5
        second, new_serial = connect()
        assert new_serial != serial
        assert ask(first) == ask(second) == b"Hello"
        first.close()
        second.close()
        server.signal(signal.SIGTERM)
        assert server.end() == 0


def test_program_that_changes_is_restarted_on_the_same_port(tmp_path):
    write_module(tmp_path, APPLICATION)
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", "--bind=unix:s", "--reload") as server:
        port = server.port()
        server.wait_for("on unix:s")
        assert get(port) == b"Hello"
        write_module(tmp_path, APPLICATION.replace("Hello", "Changed"))
        assert server.port() == port
        assert get(port) == b"Changed"
        server.signal(signal.SIGTERM)
        assert server.end() == 0


def test_json_log(tmp_path):
    write_module(tmp_path, APPLICATION)
    with serve(tmp_path, "app", "--bind=127.0.0.1:0", "--log-format=json", "--access-log=off") as server:
        get(int(server.wait_for(r'"message": "serving app on http://localhost:(\d+)"')[1]))
        server.signal(signal.SIGTERM)
        assert server.end() == 0
    records = [json.loads(line) for line in server.output.splitlines()]
    assert [record["message"] for record in records[1:]] == ["SIGTERM: draining"]
    assert records[0]["level"] == "info"


def test_configuration_of_the_environment_and_a_file(tmp_path):
    (tmp_path / "waterspout.toml").write_text('target = "app"\nbind = "unix:s"\ngrace = "1m"')
    done = run_command(tmp_path, "serve", "--print-config", variables={"WATERSPOUT_GRACE": "5"})
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(None, 2) for line in done.stdout.splitlines()]
    assert ["target", "app", "waterspout.toml: target"] in rows
    assert ["grace", "5", "WATERSPOUT_GRACE"] in rows


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["serve"], 2, "tornado serve: expected the application as module:name, got none"),
        (
            ["serve", "app", "--worker=2"],
            2,
            "tornado serve: unknown option --worker; did you mean --workers?",
        ),
        (["serve", "app", "--json"], 2, "tornado serve: unknown option --json of this command"),
        (["serve", "nowhere:app"], 1, "cannot load 'nowhere:app': there is no module 'nowhere'"),
        (["serve", "app", "--certificate=app.py"], 1, "tornado serve: cannot use the certificate 'app.py'"),
        (["serve", "app", "--bind=unix:/nowhere/s"], 1, "tornado serve: cannot listen on the Unix socket"),
        (["serv", "app"], 2, "tornado: unknown command 'serv'; did you mean serve?"),
        (["app:app"], 2, "tornado: unknown command 'app:app'; did you mean serve app:app?"),
        (["xyz"], 2, "tornado: unknown command 'xyz'; expected one of serve, routes, check"),
        (["routes"], 2, "tornado routes: expected the application as module:name, got none"),
        (["routes", "app", "--bind=:1"], 2, "tornado routes: unknown option --bind of this command"),
        (["check", "app", "--bind=:1"], 2, "tornado check: unknown option --bind of this command"),
    ],
)
def test_errors_are_one_line(tmp_path, words, status, error):
    write_module(tmp_path, APPLICATION)
    done = run_command(tmp_path, *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == 1


def test_used_port_is_reported(tmp_path):
    write_module(tmp_path, APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        done = run_command(tmp_path, "serve", "app", f"--bind=127.0.0.1:{sock.getsockname()[1]}")
    assert done.returncode == 1
    assert f"Address already in use, by process {os.getpid()} (" in done.stderr


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def app(): raise OSError('no database')", "OSError: no database"),
        ("async def app(): raise OSError('no database')", "OSError: no database"),
    ],
)
@pytest.mark.parametrize("name", ["serve", "routes", "check"])
def test_program_that_fails_shows_its_own_frames_only(tmp_path, name, source, last):
    write_module(tmp_path, source)
    done = run_command(tmp_path, name, "app", *(["--bind=127.0.0.1:0"] if name == "serve" else []))
    lines = done.stderr.splitlines()
    assert (done.returncode, lines[0], lines[-2]) == (1, "Traceback (most recent call last):", last)
    assert lines[1].startswith(f'  File "{tmp_path}/app.py"')
    assert sum(line.startswith("  File") for line in lines) == 1


def test_routes(tmp_path):
    write_module(tmp_path, APPLICATION)
    done = run_command(tmp_path, "routes", "app")
    assert done.stdout == "NAME  PATTERN  HANDLER    METHODS\n-     /        app.Hello  GET\n"
    done = run_command(tmp_path, "routes", "app", "--json")
    assert json.loads(done.stdout) == [
        {"name": "", "pattern": "/", "handler": "app.Hello", "methods": ["GET"]}
    ]


@pytest.mark.parametrize(
    ("settings", "words", "status", "output"),
    [
        ("", [], 0, "app: 1 routes, 0 errors, 0 warnings\n"),
        (
            ", serve_traceback=True",
            [],
            0,
            "warning: serve_traceback: on; turn this off in production\napp: 1",
        ),
        (", serve_traceback=True", ["--strict"], 1, "warning: serve_traceback"),
        (", template_path='no'", [], 1, "error: template_path: 'no' is not a directory"),
    ],
)
def test_check(tmp_path, settings, words, status, output):
    write_module(tmp_path, APPLICATION.replace("Hello)]", f"Hello)]{settings}"))
    done = run_command(tmp_path, "check", "app", *words)
    assert done.stdout.startswith(output)
    assert (done.returncode, done.stderr) == (status, "")


def test_check_of_the_configuration(tmp_path):
    write_module(tmp_path, APPLICATION)
    (tmp_path / "waterspout.toml").write_text('target = "app"\nmax_body_size = "10 MB"\n')
    done = run_command(tmp_path, "check")
    assert (done.stdout, done.returncode) == ("app: 1 routes, 0 errors, 0 warnings\n", 0)
    (tmp_path / "waterspout.toml").write_text("max_body_sise = 10\n")
    done = run_command(tmp_path, "check", "app")
    assert done.returncode == 1
    assert done.stdout == (
        "error: waterspout.toml: unknown key 'max_body_sise'; did you mean max_body_size?\n"
        "app: 1 routes, 1 errors, 0 warnings\n"
    )
    done = run_command(tmp_path, "check", variables={"WATERSPOUT_CONFIG": "other.toml"})
    assert (done.stdout, done.returncode) == ("", 2)


def test_help_and_version(capsys):
    assert command.main(["--help"]) == 0
    assert "serve TARGET" in capsys.readouterr().out
    assert command.main(["serve", "--help"]) == 0
    assert "--drain-delay" in capsys.readouterr().out
    assert command.main(["routes", "-h"]) == 0
    assert "--json" in capsys.readouterr().out
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("Waterspout 6.")
    assert command.main([]) == 2


def test_loop_factories(monkeypatch):
    assert command.loop_factory("asyncio") is None
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    assert command.loop_factory("auto") is None
    with pytest.raises(ImportError):
        command.loop_factory("uvloop")


def test_reload_has_one_process(tmp_path):
    write_module(tmp_path, APPLICATION)
    done = run_command(tmp_path, "serve", "app", "--reload", "--workers=2")
    assert done.returncode == 2
    assert "--workers: expected 1 worker, got 2; with --reload, the program has one process" in done.stderr
