"""What all demos have in common: how they are started, and how they say that they cannot be."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.request

import pytest

from tests.support.program import PYTHON, ROOT, Program

DEMOS = sorted(path.parent.name for path in (ROOT / "demos").glob("*/main.py"))
#: Those that serve something else than HTTP, and those that serve nothing.
OTHER_SERVERS = {"tcpecho"}
CLIENTS = {"linkcheck", "webspider"}


def script(name: str) -> str:
    return f"demos/{name}/main.py"


@pytest.fixture(params=sorted(set(DEMOS) - CLIENTS))
def demo(request, tmp_path, monkeypatch) -> str:
    """Each of the demos that serve, started in a directory where it may leave files."""
    monkeypatch.chdir(tmp_path)
    name: str = request.param
    return name


def test_the_port_is_the_one_that_the_kernel_has_given(demo):
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


def test_an_occupied_port_is_one_clear_line(demo):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, output = Program(script(demo), [f"--port={port}"]).run_to_its_end()
    assert status == 1
    assert re.fullmatch(rf"{demo}: .*port {port}: .*in use.*\n", output)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("port=8888", r"unknown argument 'port=8888'; usage: main\.py \[--port=8888\].*"),
        ("--port=65536", "port 65536 is out of range: .*"),
        ("--port=eighty", "Option 'port' takes a value of type int, not 'eighty': .*"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(demo, argument, message):
    status, output = Program(script(demo), [argument]).run_to_its_end()
    assert status == 1
    assert re.fullmatch(rf"{demo}: {message}\n", output)


def test_an_unknown_option_is_named_after_those_that_there_are(demo):
    status, output = Program(script(demo), ["--prot=1"]).run_to_its_end()
    assert status == 1
    assert "--port" in output
    assert output.endswith(f"\n{demo}: Unrecognized command line option: 'prot' (did you mean --port?)\n")
    assert "Traceback" not in output


def test_scripts_demo_names_the_demos():
    done = subprocess.run(
        [ROOT / "scripts/demo", "chess"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"scripts/demo: there is no demo 'chess'; there are: {' '.join(DEMOS)}\n"
