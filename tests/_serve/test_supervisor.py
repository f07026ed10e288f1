"""The supervisor, with real processes and signals."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import shutil
import signal
import socket
import subprocess
from urllib.parse import quote

import pytest

from tests.support.admin import AdministeredService
from tests.support.program import PYTHON
from tests.support.serve import run_command, write_module
from tests.support.supervisor import PROGRAM, ServiceManager, SupervisedService, children, ends

BROKEN = "raise RuntimeError('this deploy is bad')\n"


def test_sigterm_drains_and_ends_with_status_0(tmp_path):
    with SupervisedService(tmp_path, "--workers=2") as service:
        assert len(children(service.process.pid)) == 2
        with service.sending("/wait?seconds=0.2", "waiting") as connection:
            service.signal(signal.SIGTERM)
            assert connection.getresponse().read() == b"waited"
        assert service.end() == 0


def test_connections_during_the_drain_are_refused(tmp_path):
    """If they waited in the queue of the socket, they would be reset at the end of the drain."""
    with SupervisedService(tmp_path, "--workers=2") as service:
        with service.sending("/wait?seconds=5", "waiting") as connection:
            service.signal(signal.SIGTERM)
            with pytest.raises(ConnectionRefusedError):
                while True:
                    socket.create_connection(("127.0.0.1", service.number)).close()
            assert select.select([connection.sock], [], [], 0)[0] == []
            assert connection.getresponse().read() == b"waited"
        assert service.end() == 0


def test_second_sigterm_ends_at_once(tmp_path):
    with SupervisedService(tmp_path) as service, service.sending("/wait?seconds=600", "waiting"):
        service.signal(signal.SIGTERM)
        service.wait_for("SIGTERM: draining")
        service.signal(signal.SIGTERM)
        assert service.end() == 128 + signal.SIGTERM


def test_request_over_the_grace_period_makes_the_status_1(tmp_path):
    with SupervisedService(tmp_path, "--grace=100ms") as service:
        with service.sending("/wait?seconds=600", "waiting"):
            assert service.stop() == 1


def test_blocked_event_loop_is_killed_after_the_grace_period(tmp_path):
    with SupervisedService(tmp_path, "--grace=100ms") as service:
        with service.sending("/block?seconds=600", "blocking"):
            assert service.stop() == 1
    assert "has not ended in time (draining) and is killed" in service.output


def test_sighup_replaces_all_workers_and_the_code(tmp_path):
    with SupervisedService(tmp_path, "--workers=3") as service:
        before = children(service.process.pid)
        service.change(PROGRAM.replace('VERSION = "1"', 'VERSION = "2"'))
        assert service.reload() == "reload complete: 3 workers replaced"
        for pid in before:
            assert ends(pid)
        after = children(service.process.pid)
        assert len(after) == 3
        assert service.worker() in after
        assert service.stop() == 0


def test_old_worker_serves_until_the_new_one_is_ready(tmp_path):
    slow = "import time\nprint('importing', flush=True)\ntime.sleep(0.3)\n" + PROGRAM
    with SupervisedService(tmp_path) as service:
        before = service.worker()
        service.change(slow)
        service.signal(signal.SIGHUP)
        service.wait_for("importing")
        assert service.worker() == before
        service.wait_for("reload complete")
        assert ends(before)
        assert service.worker() != before
        assert service.stop() == 0


@pytest.mark.parametrize(
    "source",
    [
        BROKEN,
        "import os\nos._exit(3)\n",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        PROGRAM.replace("application = ", "application = missing or "),
        PROGRAM + "\nasync def application():\n    raise RuntimeError('this deploy is bad')\n",
    ],
)
def test_bad_deploy_changes_nothing(tmp_path, source):
    with SupervisedService(tmp_path, "--workers=2") as service:
        before = children(service.process.pid)
        service.change(source)
        assert service.reload().startswith("reload failed after 0 of 2 workers")
        assert children(service.process.pid) == before
        assert service.worker() in before
        service.change(PROGRAM)
        assert service.reload() == "reload complete: 2 workers replaced"
        assert service.stop() == 0
    assert service.output.count("Traceback") <= 1


@pytest.mark.parametrize("source", [BROKEN, "x = (\n"])
def test_reason_of_a_failed_reload_has_its_file_and_line(tmp_path, source):
    with AdministeredService(tmp_path) as service:
        service.change(source)
        service.reload()
        reason = service.json("/api/status")["service"]["reload_error"]
        assert re.fullmatch(r"cannot load 'app'.*Error: .* \(.*/app\.py:1\)", reason)
        assert service.stop() == 0


def test_reload_does_not_wait_for_the_back_off_of_a_worker(tmp_path):
    with SupervisedService(tmp_path) as service:
        service.change(BROKEN)
        os.kill(service.worker(), signal.SIGKILL)
        service.wait_for("has exited with status 1 and is started again in 0.4 s")
        assert service.reload().startswith("reload failed after 0 of 1 workers")
        service.wait_for("has exited with status 1 and is started again in 0.2 s")
        service.change(PROGRAM)
        assert service.reload() == "reload complete: 1 workers replaced"
        assert service.stop() == 0


def test_sighup_during_a_reload_begins_again(tmp_path):
    waiting = "import sys\nprint('importing', flush=True)\nimport time\ntime.sleep(600)\n"
    with SupervisedService(tmp_path, "--workers=2") as service:
        before = children(service.process.pid)
        service.change(waiting)
        service.signal(signal.SIGHUP)
        service.wait_for("importing")
        service.change(PROGRAM)
        assert service.reload() == "reload complete: 2 workers replaced"
        assert all(map(ends, before))
        assert service.stop() == 0


def test_sigttin_and_sigttou_change_the_number_of_workers(tmp_path):
    with SupervisedService(tmp_path) as service:
        [first] = children(service.process.pid)
        service.signal(signal.SIGTTIN)
        second = int(service.wait_for(r"worker 1 \(pid (\d+)\) serves")[1])
        assert children(service.process.pid) == {first, second}
        service.signal(signal.SIGTTOU)
        assert ends(second)
        service.signal(signal.SIGTTOU)  # the last worker stays
        assert service.worker() == first
        assert service.stop() == 0


def test_supervisor_is_replaced_while_the_workers_go_on(tmp_path):
    with SupervisedService(tmp_path, "--workers=2") as service:
        before = children(service.process.pid)
        for _ in range(2):
            with service.sending("/wait?seconds=0.5", "waiting") as connection:
                service.signal(signal.SIGUSR2)
                service.wait_for("the supervisor has been replaced; 2 workers continue")
                assert connection.getresponse().read() == b"waited"
        assert children(service.process.pid) == before
        assert service.reload() == "reload complete: 2 workers replaced"
        assert all(map(ends, before))
        assert service.stop() == 0


#: Runs the command as systemd's socket activation does, with the socket of another descriptor.
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("kind", ["fd", "systemd", "unix"])
def test_inherited_sockets_outlive_the_replacement_of_the_supervisor(tmp_path, kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        wrapper = ["-c", ACTIVATED, str(descriptor), PYTHON] if kind == "systemd" else []
        bind = {"fd": f"--bind=fd:{descriptor}", "systemd": "--bind=systemd", "unix": "--bind=unix:s"}[kind]
        options = [bind, "--bind=127.0.0.1:0"] if kind == "unix" else [bind]
        with SupervisedService(tmp_path, *options, wrapper=wrapper, descriptors=[descriptor]) as service:
            for _ in range(2):
                service.signal(signal.SIGUSR2)
                service.wait_for("the supervisor has been replaced; 1 workers continue")
                assert service.reload() == "reload complete: 1 workers replaced"
                if kind == "unix":
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(str(tmp_path / "s"))
                else:
                    service.number = listener.getsockname()[1]
                service.get()
            assert service.stop() == 0


def test_supervisor_is_replaced_while_the_certificate_cannot_be_used(tmp_path, certificates):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(certificates.certificate_file.read_bytes())
    key.write_bytes(certificates.key_file.read_bytes())
    with SupervisedService(tmp_path, f"--certificate={certificate}", f"--key={key}") as service:
        before = children(service.process.pid)
        key.write_text("half of a k")
        service.signal(signal.SIGUSR2)
        service.wait_for("cannot use the certificate .* the current workers continue")
        service.wait_for("the supervisor has been replaced; 1 workers continue")
        assert children(service.process.pid) == before
        assert service.stop() == 0


def test_supervisor_that_could_not_start_is_not_replaced(tmp_path):
    variables = {"WATERSPOUT_CONFIG": "settings.toml"}
    (tmp_path / "settings.toml").write_text("grace = 5")
    with SupervisedService(tmp_path, variables=variables) as service:
        (tmp_path / "settings.toml").write_text("grace = 'never'")
        service.signal(signal.SIGUSR2)
        service.wait_for("the supervisor is not replaced: its trial run has failed with status 2")
        service.get()
        assert service.stop() == 0
    assert "settings.toml: grace: expected" in service.output


@pytest.mark.parametrize("source", [BROKEN, "import os\nos._exit(3)\n", "application = 5\n"])
def test_program_that_cannot_start_ends_with_its_own_frame(tmp_path, source):
    write_module(tmp_path, source)
    done = run_command(tmp_path, "serve", "app", "--workers=4", "--bind=127.0.0.1:0")
    assert (done.returncode, done.stdout) == (1, "")
    if source is BROKEN:
        traceback, _, message = done.stderr.partition("RuntimeError: this deploy is bad\n")
        assert traceback.count("File ") == 1
        assert message == "cannot load 'app': its import has failed\n"
    assert len(done.stderr.splitlines()) < 8


def test_start_that_lasts_too_long_ends_with_its_stacks(tmp_path):
    write_module(tmp_path, "import time\ntime.sleep(600)\n")
    done = run_command(tmp_path, "serve", "app", "--start-timeout=500ms", "--bind=127.0.0.1:0")
    assert done.returncode == 1
    assert '/app.py", line 2 in <module>' in done.stderr
    assert "has not started within 0.5 s; raise --start-timeout" in done.stderr


def test_preloaded_program_is_imported_once(tmp_path):
    source = "print('importing', flush=True)\n" + PROGRAM
    with SupervisedService(tmp_path, "--preload", "--workers=3", source=source) as service:
        assert service.worker() in children(service.process.pid)
        assert service.stop() == 0
    assert service.output.count("importing") == 1


def test_worker_that_receives_sigterm_is_replaced(tmp_path):
    with SupervisedService(tmp_path) as service:
        first = service.worker()
        os.kill(first, signal.SIGTERM)
        service.wait_for("has received SIGTERM and is replaced")
        assert ends(first)
        assert service.worker() != first
        assert service.stop() == 0


def test_worker_is_replaced_after_its_number_of_requests(tmp_path):
    with SupervisedService(tmp_path, "--max-requests=5") as service:
        first = service.worker()
        for _ in range(5):
            service.get()
        service.wait_for("has served 6 requests and is replaced")
        assert ends(first)
        assert service.worker() != first
        assert service.stop() == 0


def test_worker_is_replaced_when_it_uses_too_much_memory(tmp_path):
    with SupervisedService(tmp_path, "--max-memory=200M") as service:
        first = service.worker()
        service.get("/allocate?size=300000000")
        service.wait_for("of memory and is replaced")
        assert ends(first)
        assert service.worker() != first
        assert service.stop() == 0


def test_service_manager_is_notified(tmp_path):
    with ServiceManager(tmp_path) as manager:
        variables = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "300000"}
        with SupervisedService(tmp_path, variables=variables) as service:
            assert f"MAINPID={service.process.pid}" in manager.wait_for("READY=1")
            manager.wait_for("STATUS=serving: 1 of 1 workers serve")
            manager.wait_for("WATCHDOG=1")
            service.signal(signal.SIGHUP)
            manager.wait_for(r"RELOADING=1\nMONOTONIC_USEC=\d+")
            manager.wait_for("READY=1")
            service.change(BROKEN)
            service.signal(signal.SIGHUP)
            manager.wait_for("STATUS=.*reload failed: cannot load 'app'")
            service.signal(signal.SIGUSR2)
            manager.wait_for("RELOADING=1")
            manager.wait_for("READY=1")
            service.signal(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            assert service.end() == 0


def test_pid_file_is_removed_at_the_end(tmp_path):
    with SupervisedService(tmp_path, "--pid-file=pid") as service:
        for _ in range(2):
            assert (tmp_path / "pid").read_text() == f"{service.process.pid}\n"
            service.signal(signal.SIGUSR2)
            service.wait_for("the supervisor has been replaced")
        done = run_command(tmp_path, "serve", "app", "--pid-file=pid", "--bind=127.0.0.1:0")
        assert done.returncode == 1
        assert f"is in use by process {service.process.pid}" in done.stderr
        assert service.stop() == 0
    assert not (tmp_path / "pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_workers_have_the_chosen_user(tmp_path):
    source = PROGRAM.replace("str(os.getpid())", "f'{os.getuid()} {os.getgid()} {os.getgroups()}'")
    # Preloaded, because the user may not read the folder.
    options = ["--preload", "--user=65534", "--group=65533"]
    with SupervisedService(tmp_path, *options, source=source) as service:
        assert service.get() == "65534 65533 [65533]"
        assert service.stop() == 0


ORPHANS = """
import os

from tornado import web


def orphan():
    reading, writing = os.pipe()
    receiving, sending = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.write(sending, str(os.getpid()).encode())
            os.close(writing)
            os.read(reading, 1)
        os._exit(0)
    os.wait()
    process = int(os.read(receiving, 20))
    os.close(writing)
    return process


class Orphans(web.RequestHandler):
    def get(self):
        for process in [orphan() for _ in range(5)]:
            while os.path.exists(f"/proc/{process}"):
                os.sched_yield()
        self.write(f"reaped by {os.getppid()}")


application = web.Application([("/", Orphans)])
"""


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True).returncode != 0,
    reason="unshare is not permitted, so that a test cannot have a process with the ID 1",
)
def test_supervisor_as_pid_1_reaps_strangers_and_obeys_sigterm(tmp_path):
    command = "import os, sys; os.execvp('unshare', ['unshare', '-pf', '--mount-proc', *sys.argv[1:]])"
    wrapper = ["-c", command, PYTHON]
    with SupervisedService(tmp_path, source=ORPHANS, wrapper=wrapper) as service:
        assert service.get() == "reaped by 1"
        [supervisor] = children(service.process.pid)
        os.kill(supervisor, signal.SIGTERM)
        assert service.end() == 0


SENDS_JUNK = """
import gc

gc.unfreeze()  # objects that are older than the fork are not listed otherwise

from tornado._serve.worker_protocol import Channel


class Junk(web.RequestHandler):
    async def get(self):
        channel = next(each for each in gc.get_objects() if type(each) is Channel and each.fileno() >= 0)
        await asyncio.to_thread(self.send, channel.fileno(), self.get_argument("line").encode())

    def send(self, descriptor, line):
        os.set_blocking(descriptor, True)
        line = line * (100_000 if line == b"[" else 1) + b"\\n"
        while line:
            line = line[os.write(descriptor, line) :]


application.add_handlers(".*", [("/junk", Junk)])
"""


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"beat","loop":1,"age":"x","stats":{}}',
        '{"type":"beat","loop":1,"age":0,"stats":{"requests":"many"}}',
        '{"type":"drained","clean":[5],"snapshot":null,"recent":null}',
        "[",
    ],
)
def test_worker_that_sends_an_invalid_message_is_replaced_alone(tmp_path, line):
    with SupervisedService(
        tmp_path, "--workers=2", "--max-requests=1000", source=PROGRAM + SENDS_JUNK
    ) as service:
        first = children(service.process.pid)
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            service.get(f"/junk?line={quote(line)}")
        service.wait_for("has sent an invalid message: ")
        service.wait_for(r"was killed by SIGKILL and is started again")
        service.wait_for(r"worker \d \(pid \d+\) serves")
        now = children(service.process.pid)
        assert len(now) == 2
        assert len(now & first) == 1
        assert service.stop() == 0


def test_worker_that_sends_an_invalid_message_during_its_start_ends_the_start(tmp_path):
    source = """
import gc, os, time
from tornado._serve.worker_protocol import Channel

gc.unfreeze()

channel = next(each for each in gc.get_objects() if type(each) is Channel and each.fileno() >= 0)
os.write(channel.fileno(), b'{"type":"failed"}\\n')
time.sleep(600)
"""
    write_module(tmp_path, source)
    done = run_command(tmp_path, "serve", "app", "--bind=127.0.0.1:0")
    assert done.returncode == 1
    assert "has sent an invalid message: 'failed' has no 'stage'" in done.stderr


def fill_log(service: SupervisedService) -> None:
    """Fill the pipe that is the log of a service, which is not read from now on."""
    descriptor = os.open(f"/proc/{service.process.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(descriptor, b"x" * 4095 + b"\\n")
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(descriptor, b"\\n")
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGQUIT, 128 + signal.SIGQUIT), (signal.SIGINT, 0)]
)
def test_service_ends_although_its_log_is_not_read(tmp_path, number, status):
    with SupervisedService(tmp_path, "--workers=2") as service:
        fill_log(service)
        service.signal(number)
        assert service.process.wait(60) == status


def test_blocked_worker_is_replaced_although_the_log_is_not_read(tmp_path):
    with SupervisedService(tmp_path, "--hang-timeout=500ms", "--grace=100ms") as service:
        before = service.worker()
        with service.sending("/block?seconds=600", "blocking"):
            fill_log(service)
            assert ends(before)
            assert service.worker() != before
        service.signal(signal.SIGTERM)
        assert service.process.wait(60) in (0, 1)


def test_worker_serves_although_its_log_is_not_read(tmp_path):
    logging = PROGRAM.replace('self.set_header("Version", VERSION)', 'web.app_log.warning("x" * 10_000)')
    with SupervisedService(tmp_path, source=logging) as service:
        fill_log(service)
        workers = {service.worker() for _ in range(100)}
        assert len(workers) == 1
        service.signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
