"""docs/guide/deploying.md: its programs, settings, units and scripts are extracted and used."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.deployment import (
    ask,
    blocks,
    rest,
    run_script,
    service,
    unit,
    words_of,
    write_command,
    write_files,
)
from tests.support.nginx import reserve
from tests.support.program import PYTHON
from tests.support.serve import Served, run_command, serve
from tests.support.supervisor import ServiceManager
from tornado._serve.configuration import load

#: systemd's socket activation: the sockets are descriptors 3, 4, …; LISTEN_PID is the process id of the
#: program.
ACTIVATE = """
import fcntl, os, sys
count = int(sys.argv[1])
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[2 : 2 + count]]
for number in sys.argv[2 : 2 + count]:
    os.close(int(number))
for place, number in enumerate(given, 3):
    os.dup2(number, place)
    os.close(number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.executable, [sys.executable, *sys.argv[2 + count :]])
"""
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LISTENING = r"serving app:make_app on"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files of the guide. Its programs listen on a port that the kernel chooses."""
    write_files(tmp_path, {"make_app, 8888": "make_app, 0"})
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """An unused port for a program that cannot report its port."""
    with reserve() as reservation:
        yield reservation.getsockname()[1]


def greeted(port: int) -> int:
    """Return the process ID of the worker that answers a request."""
    status, text = ask(port)
    assert status == 200
    found = re.fullmatch(r"Hello from process (\d+)\n", text)
    assert found is not None
    return int(found[1])


def stop(running: Served) -> None:
    """End a service with SIGTERM; it must have drained."""
    running.signal(signal.SIGTERM)
    assert running.end() == 0
    assert "Traceback" not in running.output


def test_guide_contains_the_expected_files():
    programs = {"app.py", "own.py"}
    settings = {"waterspout.toml", "Dockerfile", "app.conf", "haproxy.cfg"}
    units = {"app.service", "app@.service", "app.socket"}
    scripts = {"try", "settings", "tls", "update", "switch", "rolling", "plain", "descriptors", "watch"}
    assert set(blocks()) == programs | settings | units | {f"{name}.sh" for name in scripts}


# -- the program and its settings --


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_program_serves_until_signalled(folder, number):
    with Served(folder, ["app.py"]) as running:
        port = running.port()
        assert greeted(port) == running.process.pid
        assert ask(port, "/healthz") == (200, "ok\n")
        assert ask(port, "/slow?seconds=0") == (200, "done\n")
        assert ask(port, "/", method="POST", body=b"12345") == (200, "5 bytes\n")
        running.signal(number)
        assert running.end() == 0
        assert "Traceback" not in running.output


def test_first_script_checks_serves_and_stops(folder, port):
    script = (folder / "try.sh").read_text()
    (folder / "try.sh").write_text(script.replace("8888", str(port)))
    done = run_script(folder, "try.sh", WATERSPOUT_BIND=f"127.0.0.1:{port}")
    assert done.returncode == 0, done.stdout
    assert "app:make_app: 6 routes, 0 errors, 0 warnings" in done.stdout
    assert "\nok\n" in done.stdout
    assert re.search(r"/live/echo +\S*Echo", done.stdout)


def test_settings_file_needs_no_arguments(folder, monkeypatch):
    monkeypatch.chdir(folder)
    configuration = load([], {})
    assert configuration.target == "app:make_app"
    assert configuration.trusted_proxies == ("127.0.0.1/32", "unix")
    assert configuration.grace == 20.0
    assert configuration.is_default("bind")
    with serve(folder, "--bind=127.0.0.1:0") as running:
        greeted(running.port())
        stop(running)


def test_printed_settings_name_their_sources(folder):
    done = run_script(folder, "settings.sh")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^workers +3 +WATERSPOUT_WORKERS$", done.stdout, re.MULTILINE)
    assert re.search(r"^grace +5 +--grace$", done.stdout, re.MULTILINE)
    assert re.search(r"^max_memory +1073741824 +waterspout.toml: max_memory$", done.stdout, re.MULTILINE)


def test_program_with_its_own_main_function(folder, port):
    source = (folder / "own.py").read_text()
    (folder / "own.py").write_text(source.replace("8888", str(port)))
    with Served(folder, ["own.py"]) as running:
        while True:
            try:
                assert greeted(port) == running.process.pid
                break
            except ConnectionRefusedError:
                assert running.process.poll() is None
        stop(running)


# -- systemd --


def activated(folder: Path, words: list[str], *listeners: socket.socket, **variables: str) -> Served:
    """Run the interpreter with the sockets that systemd passes."""
    numbers = [str(listener.fileno()) for listener in listeners]
    return Served(
        folder,
        ["-c", ACTIVATE, str(len(numbers)), *numbers, *words],
        variables=variables,
        descriptors=[listener.fileno() for listener in listeners],
    )


@pytest.mark.parametrize("program", ["serve", "own"])
@pytest.mark.parametrize("blocking", [False, True], ids=["nonblocking", "blocking"])
def test_sockets_of_systemd_are_served(folder, blocking, program):
    words = words_of(folder) if program == "serve" else ["own.py"]
    host, number = unit(folder, "app.socket")["Socket"]["ListenStream"].split(":")
    assert number == "8888"
    with socket.create_server((host, 0)) as first, socket.create_server((host, 0)) as second:
        for listener in (first, second):
            listener.setblocking(blocking)
        # The connection was made before the service started, and waits in the kernel's queue.
        with socket.create_connection(first.getsockname(), timeout=60) as early:
            early.sendall(REQUEST)
            with activated(folder, words, first, second) as running:
                assert rest(early).endswith(b"ok\n")
                for listener in (first, second, first):
                    greeted(listener.getsockname()[1])
                stop(running)


def test_connection_during_a_restart_is_served_afterwards(folder):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with activated(folder, words_of(folder), listener) as running:
            before = greeted(listener.getsockname()[1])
            stop(running)
        with socket.create_connection(listener.getsockname(), timeout=60) as between:
            between.sendall(REQUEST)
            with activated(folder, words_of(folder), listener) as running:
                assert rest(between).endswith(b"ok\n")
                assert greeted(listener.getsockname()[1]) != before
                stop(running)


def test_unix_socket_of_systemd(folder):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "app.sock"))
        listener.listen()
        with activated(folder, words_of(folder), listener) as running:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(60)
                client.connect(str(folder / "app.sock"))
                client.sendall(REQUEST)
                assert rest(client).endswith(b"ok\n")
            stop(running)


def test_service_reports_its_states_to_systemd(folder):
    settings = service(folder)
    assert settings["Type"] == "notify"
    assert int(settings["WatchdogSec"]) == 30
    assert settings["ExecReload"] == "kill -HUP $MAINPID"
    with ServiceManager(folder) as manager:
        # systemd's limit is shorter here, because a message is sent after each third of it.
        variables = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "300000"}
        words = [*words_of(folder), "--bind=127.0.0.1:0"]
        with Served(folder, words, variables=variables) as running:
            ready = manager.wait_for("READY=1")
            assert f"MAINPID={running.process.pid}" in ready
            manager.wait_for("WATCHDOG=1")
            subprocess.run(
                settings["ExecReload"], shell=True, env={"MAINPID": str(running.process.pid)}, check=True
            )
            manager.wait_for("RELOADING=1")
            manager.wait_for("READY=1")
            running.signal(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            assert running.end() == 0


def test_program_that_cannot_start_fails_the_unit(folder):
    (folder / "app.py").write_text("raise RuntimeError('no database')\n")
    done = run_command(folder, *words_of(folder)[2:], "--bind=127.0.0.1:0")
    assert done.returncode == 1
    assert "no database" in done.stderr


@pytest.mark.parametrize("name", ["app.service", "app@.service"])
def test_units_match_the_settings(folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    configuration = load([], {})
    settings = service(folder, name)
    assert int(settings["TimeoutStopSec"]) > configuration.grace + configuration.drain_delay + 5
    assert int(settings["LimitNOFILE"]) == 65536
    assert settings["KillMode"] == "mixed"


def test_units_are_valid(folder):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    names = ["app.service", "app@.service", "app.socket"]
    for name in names:
        text = (folder / name).read_text()
        text = re.sub(r"/srv/app/(%i/)?\.venv/bin/python", PYTHON, text).replace("User=app\n", "")
        (folder / name).write_text(text)
    command = [verify, "verify", "--man=no", *(str(folder / name) for name in names)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, text=True)
    assert [line for line in done.stdout.splitlines() if str(folder) in line] == []


# -- TLS, users, limits --


def test_renewed_certificate_is_used_without_a_restart(folder, port, certificates):
    script = (folder / "tls.sh").read_text()
    for old, new in (
        ("/etc/ssl/app.pem", f"{folder}/app.pem"),
        ("/etc/ssl/app.key", f"{folder}/app.key"),
        (":8443", f"127.0.0.1:{port}"),
    ):
        assert old in script
        script = script.replace(old, new)
    (folder / "new").mkdir()
    renewed = Certificates(folder / "new")
    shutil.copy(certificates.certificate_file, folder / "app.pem")
    shutil.copy(certificates.key_file, folder / "app.key")
    words = script.split()
    assert words[0] == "python"
    with Served(folder, words[1:]) as running:
        running.wait_for(LISTENING)
        assert ask(port, "/healthz", context=certificates.client_context) == (200, "ok\n")
        shutil.copy(renewed.certificate_file, folder / "app.pem")
        shutil.copy(renewed.key_file, folder / "app.key")
        running.wait_for("changed; new connections use it")  # not the error for a pair that is half renewed
        assert ask(port, "/healthz", context=renewed.client_context) == (200, "ok\n")
        stop(running)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change to another user")
def test_workers_run_as_another_user_and_the_pid_file_is_locked():
    # The other user must be able to read the program, unlike the temporary directories of the tests.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_files(folder)
        words = (folder / "plain.sh").read_text().replace("--bind=:80", "--bind=127.0.0.1:0").split()
        words = [word.replace("/run/app.pid", f"{folder}/app.pid") for word in words]
        assert words[:2] == ["python", "-m"]
        with Served(folder, words[1:]) as running:
            port = running.port()
            assert int((folder / "app.pid").read_text()) == running.process.pid
            worker = os.stat(f"/proc/{greeted(port)}")
            account = pwd.getpwnam("www-data")
            assert (worker.st_uid, worker.st_gid) == (account.pw_uid, account.pw_gid)
            second = run_command(folder, *words[3:])
            assert second.returncode == 1
            assert f"is in use by process {running.process.pid}" in second.stderr
            stop(running)
        assert not (folder / "app.pid").exists()


def test_recovery_after_running_out_of_descriptors(folder):
    start = "import os,resource,sys; resource.setrlimit(resource.RLIMIT_NOFILE,(60,60));"
    start += "os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"
    words = [*words_of(folder), "--bind=127.0.0.1:0", "--workers=1"]
    with Served(folder, ["-c", start, *words]) as running:
        port = running.port()
        worker = greeted(port)
        done = run_script(folder, "descriptors.sh", PID=str(worker))
        assert re.search(r"^Max open files +60 +60 ", done.stdout)
        assert int(done.stdout.splitlines()[1]) <= 60
        held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(80)]
        running.wait_for("ulimit -n")
        for sock in held:
            sock.close()
        assert greeted(port) == worker
        stop(running)


def test_running_service_is_watched(folder, port):
    script = (folder / "watch.sh").read_text()
    (folder / "watch.sh").write_text(script.replace("9000", str(port)))
    with serve(folder, "--workers=2", "--bind=127.0.0.1:0", f"--admin=127.0.0.1:{port}") as running:
        running.wait_for(f"administration on http://localhost:{port}")
        done = run_script(folder, "watch.sh")
        assert done.returncode == 0, done.stdout
        assert done.stdout.startswith("app:make_app: serving, 2 of 2 workers serve, up ")
        assert done.stdout.endswith("\nno request is in flight\nready\n")
        stop(running)


def test_machines_are_restarted_one_after_the_other(folder):
    write_command(folder, "ssh", 'echo "$@" >>calls')
    # The first check of each machine fails.
    write_command(folder, "curl", 'echo "check $2" >>calls; [ $(($(wc -l <calls) % 3)) = 0 ]')
    done = run_script(folder, "rolling.sh")
    assert done.returncode == 0, done.stdout
    expected = []
    for machine in ("app1", "app2", "app3"):
        check = f"check http://{machine}:8888/healthz"
        expected += [f"{machine} systemctl restart app", check, check]
    assert (folder / "calls").read_text().splitlines() == expected
