from __future__ import annotations

import copy
import json
import re
import socket
import threading
from typing import Any

import pytest

from tests.support.admin import AdministeredService, error, record, request
from tests.support.serve import run_command
from tests.support.supervisor import SupervisedService
from tornado._serve import ctl
from tornado._serve.arguments import ConfigurationError, parse
from tornado._serve.ctl_client import Client, ControlError


def run(*words: str, **environment: str) -> str:
    return ctl.run(parse(words, 1), environment)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected one of status, requests, errors, log, reload, drain, scale, restart, got none"),
        (["statsu"], "unknown subcommand 'statsu'; did you mean status"),
        (["explode"], "unknown subcommand 'explode'; expected one of status, "),
        (["status", "now"], "status: expected no argument, got now"),
        (["scale"], "scale: expected a number, got none"),
        (["scale", "many"], "scale: expected a number, got 'many'"),
        (["restart"], "restart: expected a worker, got none"),
        (["log"], "log: expected a request id, got none"),
        (["status"], "expected the address of the administration as --admin, a URL, host:port or unix:path"),
        (
            ["status", "--wait", "--admin=:1"],
            "--wait: status has nothing to wait for; expected one of reload",
        ),
        (["status", "--admin=8888"], "--admin: expected a URL, host:port or unix:path, got '8888'"),
        (["status", "--admin=fd:3"], "--admin: expected a URL, host:port or unix:path, got 'fd:3'"),
        (["status", "--admin=ftp://host/"], "--admin: expected a URL"),
        (["status", "--admin=http://host:x/"], "--admin: expected a URL"),
    ],
)
def test_wrong_command_line_is_explained(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        run(*words)
    assert message in str(raised.value)


def test_unreachable_service_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(
        ctl.ControlError, match=f"cannot reach the administration at :{port}: Connection refused"
    ):
        run("status", f"--admin=:{port}")
    with pytest.raises(ctl.ControlError, match="cannot reach the administration at unix:none: No such file"):
        run("status", "--admin=unix:none")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\nHello", b"HTTP/1.1 404 Not Found\r\n\r\n[]"])
def test_other_server_is_reported(answer):
    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            while not connection.recv(65536).endswith(b"\r\n\r\n"):
                pass
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ctl.ControlError, match="is not the administration of a service: it has answered"):
            run("status", f"--admin=http://127.0.0.1:{server.getsockname()[1]}/path")
        thread.join()


def test_service_is_shown_and_controlled(tmp_path):
    with AdministeredService(tmp_path, "--workers=2") as service:
        admin = f"--admin=127.0.0.1:{service.admin}"
        text = run("status", admin)
        assert text.startswith("app: serving, 2 of 2 workers serve, up ")
        assert [line.split()[2] for line in text.splitlines()[-2:]] == ["serving", "serving"]
        status = json.loads(run("status", "--json", WATERSPOUT_ADMIN=f"http://localhost:{service.admin}"))
        assert [worker["number"] for worker in status["workers"]] == [0, 1]
        assert "xsrf" not in status
        assert run("requests", admin) == "no request is in flight\n"
        assert run("errors", admin) == "no errors\n"
        with pytest.raises(ctl.ControlError, match="no log record of the request 'xyz' is kept"):
            run("log", "xyz", admin)
        assert run("scale", "1", admin) == "requested: scale 1\n"
        service.wait_for("1 workers instead of 2")
        assert json.loads(run("reload", "--json", admin)) == {"requested": "reload"}
        service.wait_for("reload complete: 1 workers replaced")
        with pytest.raises(ctl.ControlError, match="restart is impossible now: there is no worker 7"):
            run("restart", "7", admin)
        assert run("restart", "0", admin) == "requested: restart 0\n"
        service.wait_for("serves")
        assert run("drain", admin) == "requested: drain\n"
        assert service.end() == 0


def test_request_and_its_stack_are_shown(tmp_path):
    with AdministeredService(tmp_path, "--grace=100ms") as service:
        with service.sending("/wait?seconds=60", "waiting"):
            text = run("requests", f"--admin=127.0.0.1:{service.admin}")
            assert "GET /wait?seconds=60\n    route /wait, app.Wait, pid " in text
            assert "in Wait.get: await asyncio.sleep(" in text
        service.stop()


def test_token_of_the_environment_is_sent(tmp_path):
    with AdministeredService(tmp_path, variables={"WATERSPOUT_ADMIN_TOKEN": "0123456789abcdef"}) as service:
        admin = f"--admin=127.0.0.1:{service.admin}"
        with pytest.raises(ctl.ControlError, match="requires a token; set WATERSPOUT_ADMIN_TOKEN"):
            run("status", admin)
        with pytest.raises(ctl.ControlError, match="refuses the token"):
            run("status", admin, "--admin-token=fedcba9876543210")
        assert run("reload", admin, WATERSPOUT_ADMIN_TOKEN="0123456789abcdef") == "requested: reload\n"
        service.wait_for("reload complete")
        assert service.stop() == 0


def test_command_reads_the_configuration_file_of_the_service(tmp_path):
    (tmp_path / "waterspout.toml").write_text(f'admin = "unix:{tmp_path}/admin"\n', encoding="utf-8")
    with SupervisedService(tmp_path) as service:
        service.wait_for("administration on unix:")
        done = run_command(tmp_path, "ctl", "status")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("app: serving, 1 of 1 workers serve")
        assert service.stop() == 0
    done = run_command(tmp_path, "ctl", "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tornado ctl: cannot reach the administration at unix:")
    done = run_command(tmp_path, "ctl", "status", "--workers=2")
    assert done.returncode == 2
    assert "unknown option --workers of this command" in done.stderr


HOSTILE = "\x1b]0;x\x07\x9b2J\u202e\r\n0.1 s  GET /forged\n12:00:00 INFO app: forged\n1x E: forged"
WORKER = {
    "number": 0,
    "pid": 1,
    "state": "serving",
    "blocked": 0,
    "started": 0.0,
    "now": None,
    "memory": 1,
    "restarts": 0,
    "stats": {"problems": [HOSTILE]},
}
SERVICE = {
    "target": HOSTILE,
    "state": "serving",
    "serving": 1,
    "size": 1,
    "started": 0.0,
    "restarts": {HOSTILE: 1},
    "reload_error": HOSTILE,
}
HOSTILE_ANSWERS: dict[str, dict[str, Any]] = {
    "status": {"service": SERVICE, "point": None, "workers": [WORKER]},
    "requests": {
        "requests": [
            {
                **request(method=HOSTILE, target=HOSTILE, id=HOSTILE, handler=HOSTILE, stack=[HOSTILE]),
                "pid": 1,
            }
        ]
    },
    "errors": {
        "errors": [{**error(type=HOSTILE, message=HOSTILE, traceback=HOSTILE, request_id=HOSTILE), "pid": 1}]
    },
    "log": {"id": HOSTILE, "records": [record(logger=HOSTILE, message=HOSTILE)]},
}


@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_what_clients_have_sent_is_printable_and_forges_no_line(name, monkeypatch):
    monkeypatch.setattr(Client, "request", lambda *arguments: copy.deepcopy(HOSTILE_ANSWERS[name]))
    words = [name, "id"] if name == "log" else [name]
    text = run(*words, "--admin=127.0.0.1:1")
    assert "forged" in text
    assert all(line.isprintable() for line in text.splitlines())
    assert text.count("\n") == len(text.splitlines())
    assert not re.search("^(0.1 s|12:00:00|1x E: forged)", text, re.MULTILINE)
    # Programs that read JSON get the texts, which it escapes itself.
    output = run(*words, "--admin=127.0.0.1:1", "--json")
    assert json.loads(output) == HOSTILE_ANSWERS[name]
    assert all(line.isprintable() for line in output.splitlines())


def test_error_of_the_service_is_printable():
    assert str(ControlError(HOSTILE)).isprintable()
