"""Starting the demos: the port, and errors on the command line."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.request

import pytest

from tests.support.program import PYTHON, ROOT, Program

DEMOS = sorted(path.parent.name for path in (ROOT / "demos").glob("*/main.py"))
#: Demos that are not HTTP servers, and demos that are not servers.
OTHER_SERVERS = {"tcpecho"}
CLIENTS = {"linkcheck", "webspider"}


def script(name: str) -> str:
    return f"demos/{name}/main.py"


@pytest.fixture(params=sorted(set(DEMOS) - CLIENTS))
def demo(request, tmp_path, monkeypatch) -> str:
    """Each server demo, started in a directory for its files."""
    monkeypatch.chdir(tmp_path)
    name: str = request.param
    return name


def test_port_0_prints_the_port_chosen_by_the_kernel(demo):
    command = [PYTHON, str(ROOT / script(demo)), "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            line = program.stdout.readline()
            scheme = "" if demo in OTHER_SERVERS else "http://"
            found = re.fullmatch(rf"listening on ({scheme}localhost:([1-9]\d*))\n", line)
            assert found is not None, line
            if scheme:
                with urllib.request.urlopen(found[1]) as response:
                    assert response.status == 200
            else:
                socket.create_connection(("localhost", int(found[2]))).close()
        finally:
            program.terminate()


def test_occupied_port_is_reported_in_one_line(demo):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, output = Program(script(demo), [f"--port={port}"]).run_to_its_end()
    assert status == 1
    assert re.fullmatch(rf"({demo}: )?.*port {port}: .*in use.*\n", output)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("port=8888", r"unknown argument 'port=8888'; usage: main\.py \[--port=8888\].*"),
        ("--port=65536", "port 65536 is out of range: .*"),
        ("--port=eighty", "Option 'port' takes a value of type int, got 'eighty': .*"),
    ],
)
def test_wrong_argument_is_reported_in_one_line(demo, argument, message):
    status, output = Program(script(demo), [argument]).run_to_its_end()
    assert status == 1
    assert re.fullmatch(rf"{demo}: {message}\n", output)


def test_unknown_option_is_reported_with_a_suggestion(demo):
    status, output = Program(script(demo), ["--prot=1"]).run_to_its_end()
    assert status == 1
    assert "--port" in output
    assert output.endswith(f"\n{demo}: Unrecognized command line option: 'prot' (did you mean --port?)\n")
    assert "Traceback" not in output


def test_scripts_demo_lists_the_demos():
    done = subprocess.run(
        [ROOT / "scripts/demo", "chess"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"scripts/demo: unknown demo 'chess'; expected one of: {' '.join(DEMOS)}\n"
