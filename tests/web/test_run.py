"""`tornado.web.run` in processes, as programs call it."""

from __future__ import annotations

import re
import signal
import socket
import urllib.request

import pytest

from tests.support.serve import APPLICATION, Served, write_module
from tornado import web

PROGRAM = APPLICATION + "\nweb.run({arguments})\nprint('returned')\n"


def program(folder, arguments, source=PROGRAM):
    write_module(folder, source.format(arguments=arguments))
    return Served(folder, ["app.py"])


def get(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
        return response.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "arguments",
    [
        "application, 0",
        "lambda: application, 0",
        "application, bind='127.0.0.1:0'",
        "application, 0, address='127.0.0.1'",
    ],
)
def test_program_returns_after_a_signal(tmp_path, arguments, number):
    with program(tmp_path, arguments) as running:
        assert get(running.port()) == b"Hello"
        running.signal(number)
        assert running.end() == 0
    assert running.output.endswith("returned\n")


def test_log_is_that_of_serve_unless_the_program_has_set_it_up(tmp_path):
    with program(tmp_path, "application, 0") as running:
        get(running.port())
        running.wait_for(r"^\[I \d+ .*\] 200 GET / ")
        running.signal(signal.SIGTERM)
        assert running.end() == 0
    for setting in (
        "logging.basicConfig(level=logging.ERROR)",
        "web.app_log.addHandler(logging.NullHandler())",
    ):
        source = PROGRAM.replace("\nweb.run", f"\nimport logging\n{setting}\nweb.run")
        with program(tmp_path, "application, 0", source) as running:
            get(running.port())
            running.signal(signal.SIGTERM)
            assert running.end() == 0
        assert "200 GET" not in running.output


@pytest.mark.parametrize("place", ["on_startup", "lifespan"])
def test_program_may_set_up_logging_in_its_start(tmp_path, place):
    source = f'''
import contextlib, logging

async def begin(*arguments):
    logging.getLogger("program").info("before")
    logging.basicConfig(level=logging.INFO, format="own: %(message)s")
    logging.getLogger("program").info("after")

@contextlib.asynccontextmanager
async def live(application):
    await begin()
    yield

application.settings["{place}"] = [begin] if "{place}" == "on_startup" else live
'''
    source = PROGRAM.replace("\nweb.run", f"{source.replace('{', '{{').replace('}', '}}')}\nweb.run")
    with program(tmp_path, "application, 0", source) as running:
        get(running.port())
        running.wait_for("^own: 200 GET / ")
        running.signal(signal.SIGTERM)
        assert running.end() == 0
    assert running.output.count("200 GET") == 1
    assert re.search(r"^\[I \d+ .*\] before$", running.output, re.MULTILINE)
    assert "own: after\n" in running.output


def test_coroutine_function_makes_the_application(tmp_path):
    source = "import asyncio\nasync def make():\n  await asyncio.sleep(0)\n  return application\n"
    with program(tmp_path, "make, 0", PROGRAM.replace("\nweb.run", f"{source}\nweb.run")) as running:
        assert get(running.port()) == b"Hello"
        running.signal(signal.SIGTERM)
        assert running.end() == 0


def test_several_addresses_are_printed(tmp_path):
    with program(tmp_path, "application, bind=['127.0.0.1:0', 'unix:s']") as running:
        running.wait_for("listening on http://localhost:")
        running.wait_for("listening on unix:s")
        running.signal(signal.SIGTERM)
        assert running.end() == 0
    assert not (tmp_path / "s").exists()


def test_tls_is_part_of_the_url(tmp_path, certificates):
    options = f"dict(certfile={str(certificates.certificate_file)!r}, keyfile={str(certificates.key_file)!r})"
    with program(tmp_path, f"application, 0, ssl_options={options}") as running:
        running.wait_for("listening on https://localhost:")
        running.signal(signal.SIGTERM)
        assert running.end() == 0


@pytest.mark.parametrize("arguments", ["application, {port}", "application, bind=['unix:s', ':{port}']"])
def test_used_port_ends_the_program_with_a_message(tmp_path, arguments):
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        with program(tmp_path, arguments.format(port=port)) as running:
            assert running.end() == 1
    assert "returned" not in running.output
    [line] = running.output.splitlines()
    assert str(port) in line
    assert "Address already in use, by process" in line


def test_debug_application_is_restarted_on_the_same_port(tmp_path):
    source = PROGRAM.replace("Hello)]", "Hello)], debug=True")
    with program(tmp_path, "application, 0", source) as running:
        port = running.port()
        assert get(port) == b"Hello"
        write_module(tmp_path, source.replace('Hello"', 'Changed"').format(arguments="application, 0"))
        assert running.port() == port
        assert get(port) == b"Changed"
        running.signal(signal.SIGTERM)
        assert running.end() == 0


def test_exception_of_the_factory_ends_the_program(tmp_path):
    source = "def make(): raise OSError('no database')\n"
    with program(tmp_path, "make, 0", PROGRAM.replace("\nweb.run", f"{source}\nweb.run")) as running:
        assert running.end() == 1
    assert "OSError: no database" in running.output


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"application": web.RequestHandler},
            TypeError,
            r"cannot serve run\(\): RequestHandler is a handler class",
        ),
        ({"application": 1}, TypeError, "expected an Application"),
        ({"grace": -1}, ValueError, "run: grace must be a number of seconds of at least 0, got -1"),
        ({"drain_delay": float("nan")}, ValueError, "run: drain_delay must be a number"),
        ({"bind": "8888"}, ValueError, r"run: bind must be host:port, .*, got '8888' \(write :8888 for"),
        ({"port": 65536}, ValueError, "port 65536 is out of range"),
        ({"bind": "nowhere"}, ValueError, "run: bind must be host:port, .*, got 'nowhere'$"),
    ],
)
def test_wrong_arguments_are_explained(arguments, kind, message):
    with pytest.raises(kind, match=message):
        web.run(**{"application": web.Application(), **arguments})


async def test_running_event_loop_is_an_error():
    with pytest.raises(
        RuntimeError, match=r"one is running in this thread; in a coroutine, call application.list"
    ):
        web.run(web.Application())
