"""Workers that fail, are blocked or lose their supervisor, with real processes and signals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from types import SimpleNamespace

import pytest

from tests.support.program import PYTHON
from tests.support.serve import run_command
from tests.support.service_internals import send_last_report
from tests.support.supervisor import PROGRAM, SupervisedService, children, ends
from tornado._serve.message_schema import FROM_WORKER
from tornado._serve.worker import Worker
from tornado._serve.worker_protocol import Channel

#: Runs the command after it has limited its own resources: the name of the limit and its value.
LIMITED = """
import os, resource, sys
name, value = sys.argv[1:3]
resource.setrlimit(getattr(resource, name), (int(value), int(value)))
os.execv(sys.argv[3], sys.argv[3:])
"""


def limited(name: str, value: int) -> list[str]:
    """Return the arguments of the interpreter that run the command with a limit of its resources."""
    return ["-c", LIMITED, name, str(value), PYTHON]


def test_killed_worker_is_started_again(tmp_path):
    with SupervisedService(tmp_path, "--workers=2") as service:
        first = service.worker()
        os.kill(first, signal.SIGKILL)
        service.wait_for(rf"\(pid {first}\) was killed by SIGKILL and is started again in 0.1 s")
        service.wait_for(r"worker \d \(pid \d+\) serves")
        assert len(children(service.process.pid)) == 2
        assert service.worker() != first
        assert service.stop() == 0


def test_worker_that_exits_is_started_again_with_increasing_delay(tmp_path):
    source = PROGRAM.replace("time.sleep(float", "os._exit(3) or (float")
    with SupervisedService(tmp_path, source=source) as service:
        for delay in ("0.1", "0.2"):
            with service.sending("/block?seconds=0", "blocking"):
                service.wait_for(f"has exited with status 3 and is started again in {delay} s")
            service.wait_for("serves")
        assert service.stop() == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_blocked_event_loop_is_replaced_and_its_stacks_are_logged(tmp_path, loop):
    options = ["--hang-timeout=500ms", "--grace=100ms", f"--loop={loop}"]
    with SupervisedService(tmp_path, *options) as service:
        first = service.worker()
        with service.sending("/block?seconds=600", "blocking"):
            service.wait_for(rf"event loop of worker 0 \(pid {first}\) has been blocked for [\d.]+ s")
            service.wait_for(r'app.py", line \d+ in get')
            assert service.worker() != first
            service.wait_for(r"has not ended in time \(hung\) and is killed")
        assert ends(first)
        assert service.stop() == 0


#: The workers whose process IDs are in the file `deaf` report a problem.
DEAF = (
    PROGRAM
    + """
from tornado.channels import _counts


def broker_problems():
    with open("deaf") as file:
        return ["no broker"] if str(os.getpid()) in file.read() else []


_counts.broker_problems = broker_problems
"""
)


def test_worker_without_its_broker_leaves_new_clients_to_the_others(tmp_path):
    deaf = tmp_path / "deaf"
    deaf.write_text("")
    with SupervisedService(tmp_path, "--workers=2", source=DEAF) as service:
        first, second = sorted(children(service.process.pid))
        with service.kept_connection(first) as connection:
            deaf.write_text(str(first))
            service.wait_for("only workers without a problem accept connections: no broker")
            assert {service.worker() for _ in range(40)} == {second}
            # A proxy does not use its connection to the worker again.
            connection.request("GET", "/")
            response = connection.getresponse()
            assert int(response.read()) == first
            assert response.getheader("Connection") == "close"
        deaf.write_text(f"{first} {second}")
        service.wait_for("only workers without a problem")
        assert service.worker() in (first, second)
        deaf.write_text(str(second))
        service.wait_for("accepting connections again")
        assert {service.worker() for _ in range(40)} == {first}
        assert service.stop() == 0


def test_worker_without_its_broker_accepts_while_the_other_is_blocked(tmp_path):
    deaf = tmp_path / "deaf"
    deaf.write_text("")
    with SupervisedService(tmp_path, "--workers=2", "--hang-timeout=off", source=DEAF) as service:
        first, second = sorted(children(service.process.pid))
        deaf.write_text(str(first))
        service.wait_for("only workers without a problem")
        os.kill(second, signal.SIGSTOP)
        assert service.worker() == first
        os.kill(second, signal.SIGCONT)
        assert service.stop() == 0


def test_worker_without_its_broker_accepts_while_the_other_is_full(tmp_path):
    deaf = tmp_path / "deaf"
    deaf.write_text("")
    with SupervisedService(tmp_path, "--workers=2", "--max-connections=3", source=DEAF) as service:
        first, second = sorted(children(service.process.pid))
        deaf.write_text(str(first))
        service.wait_for("only workers without a problem")
        with contextlib.ExitStack() as stack:
            busy = [
                stack.enter_context(service.sending("/wait?seconds=600", "waiting")).sock for _ in range(3)
            ]
            assert {service.worker() for _ in range(20)} == {first}
            for sock in busy:
                # The server sees a reset at once, but continues after a half-close.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while service.worker() != second:
            pass
        # It has room, and has said so before it has accepted that connection.
        assert {service.worker() for _ in range(20)} == {second}
        assert service.stop() == 0


def test_event_loop_that_runs_again_completes_its_requests(tmp_path):
    with SupervisedService(tmp_path, "--hang-timeout=500ms") as service:
        first = service.worker()
        with service.sending("/block?seconds=2", "blocking") as connection:
            service.wait_for("has been blocked")
            assert connection.getresponse().status == 200
        assert ends(first)
        assert service.worker() != first
        assert service.stop() == 0
    assert "is killed" not in service.output


def test_import_may_last_longer_than_the_hang_timeout(tmp_path):
    source = "import time\ntime.sleep(1.5)\n" + PROGRAM
    with SupervisedService(tmp_path, "--hang-timeout=100ms", source=source) as service:
        assert service.worker() in children(service.process.pid)
        assert service.stop() == 0
    assert "blocked" not in service.output


def test_stopped_worker_is_replaced(tmp_path):
    with SupervisedService(tmp_path, "--hang-timeout=500ms", "--grace=100ms") as service:
        first = service.worker()
        os.kill(first, signal.SIGSTOP)
        service.wait_for("has been blocked")
        assert service.worker() != first
        service.wait_for("is killed")
        assert ends(first)
        assert service.stop() == 0


def test_workers_are_not_replaced_after_the_supervisor_was_stopped(tmp_path):
    with SupervisedService(tmp_path, "--hang-timeout=1s", "--workers=2") as service:
        workers = children(service.process.pid)
        service.signal(signal.SIGSTOP)
        service.get("/wait?seconds=3")
        service.signal(signal.SIGCONT)
        service.get("/wait?seconds=1")
        assert children(service.process.pid) == workers
        assert service.stop() == 0
    assert "blocked" not in service.output


def test_idle_workers_end_with_their_supervisor_and_a_new_one_can_start(tmp_path):
    with SupervisedService(tmp_path, "--workers=2") as service:
        workers = children(service.process.pid)
        service.process.kill()
        for pid in workers:
            assert ends(pid)
        with SupervisedService(tmp_path, f"--bind=127.0.0.1:{service.number}") as second:
            assert second.stop() == 0


@pytest.mark.parametrize("request_path", ["/wait?seconds=1.5", "/block?seconds=1.5"])
def test_new_supervisor_serves_while_old_workers_drain(tmp_path, request_path):
    bind = f"--bind=127.0.0.1:{unused_port()}"
    with SupervisedService(tmp_path, bind) as service:
        old = service.worker()
        with service.sending(request_path, "waiting|blocking") as connection:
            service.process.kill()
            service.process.wait()
            with SupervisedService(tmp_path, bind) as second:
                assert {second.worker() for _ in range(20)} == children(second.process.pid)
                assert connection.getresponse().status == 200
                assert ends(old)
                assert second.stop() == 0


def test_blocked_worker_without_supervisor_ends_after_the_grace_period(tmp_path):
    with SupervisedService(tmp_path, "--grace=1s") as service:
        worker = service.worker()
        with service.sending("/block?seconds=600", "blocking"):
            service.process.kill()
            assert ends(worker)
        service.end()
    assert "the supervisor has ended, and the drain has not: exiting" in service.output


def test_second_supervisor_is_refused_while_the_first_one_runs(tmp_path):
    bind = f"--bind=127.0.0.1:{unused_port()}"
    with SupervisedService(tmp_path, bind) as service:
        done = run_command(tmp_path, "serve", "app", bind)
        assert done.returncode == 1
        assert f"process {service.process.pid} serves it; stop that process" in done.stderr
        assert service.stop() == 0


def test_full_disk_of_the_log_does_not_end_the_service(tmp_path):
    # A write beyond the limit fails, as on a full disk.
    with (tmp_path / "log").open("wb") as log:
        redirect = f"import os; os.dup2({log.fileno()}, 2); " + LIMITED
        wrapper = ["-c", redirect, "RLIMIT_FSIZE", "40000", PYTHON]
        source = PROGRAM.replace("VERSION = ", "print('serving app on http://localhost:0', flush=True)\nV = ")
        source = source.replace("VERSION)", "V)")
        path = str(tmp_path / "s")
        options = [f"--bind=unix:{path}", "--access-log=tornado"]
        with SupervisedService(
            tmp_path, *options, source=source, wrapper=wrapper, descriptors=[log.fileno()]
        ) as service:
            while os.path.getsize(tmp_path / "log") < 40000:
                request(path)
            first = int(request(path))
            os.kill(first, signal.SIGKILL)
            assert ends(first)
            second = int(request(path))
            service.signal(signal.SIGHUP)
            assert ends(second)
            assert int(request(path)) not in (first, second)
            assert service.stop() == 0


def test_exhausted_descriptors_do_not_end_the_service(tmp_path):
    with SupervisedService(tmp_path, wrapper=limited("RLIMIT_NOFILE", 64)) as service:
        first = service.worker()
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(socket.create_connection(("127.0.0.1", service.number)))
            service.wait_for("accepting paused for 1 s: Too many open files")
            service.signal(signal.SIGHUP)
            service.wait_for("reload complete")
        assert ends(first)
        assert service.worker() != first
        assert service.stop() == 0


def test_connections_are_shared_evenly(tmp_path):
    with SupervisedService(tmp_path, "--workers=4") as service:
        count = dict.fromkeys(children(service.process.pid), 0)
        with contextlib.ExitStack() as stack:
            for _ in range(400):
                connection = stack.enter_context(contextlib.closing(service.connect()))
                connection.request("GET", "/")
                count[int(connection.getresponse().read())] += 1
        assert service.stop() == 0
    # A worker that the machine does not run gets fewer; without sharing, one gets twice the average.
    assert max(count.values()) <= 160


def request(path: str) -> str:
    """Send a request to a Unix socket, and return the body of the response."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return client.makefile("rb").read().decode().rpartition("\r\n\r\n")[2]


def unused_port() -> int:
    """Return a port that the kernel has chosen and no socket uses."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


CHANNELS = """
import contextlib

from tornado import web
from tornado.channels import ChannelHandler, Hub, MemoryBroker

hub = Hub(MemoryBroker())


@contextlib.asynccontextmanager
async def lifespan(application):
    async with hub:
        yield


application = web.Application([(r"/channels", ChannelHandler, {"hub": hub})], lifespan=lifespan)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_broker_in_memory_with_several_workers_is_warned_of(tmp_path, workers):
    with SupervisedService(tmp_path, f"--workers={workers}", source=CHANNELS) as service:
        assert service.stop() == 0
    warnings = service.output.count("channels with a MemoryBroker connect only the clients of one worker")
    assert bool(warnings) == (workers > 1)


@pytest.mark.parametrize(("limit", "kept"), [(1000, "records"), (300, "counts"), (80, "nothing")])
def test_last_report_is_sent_without_what_is_too_large(monkeypatch, expect_log, limit, kept):
    ours, theirs = Channel.pair(FROM_WORKER)
    with contextlib.closing(ours), contextlib.closing(theirs):
        theirs.max_sent = limit
        worker = Worker(SimpleNamespace(channel=theirs), None)
        with expect_log("tornado.general", "is discarded: drained", required=kept != "records"):
            send_last_report(monkeypatch, worker, {"requests": "x" * 100}, {"errors": "x" * 500})
        (report,) = ours.receive()
    assert report["clean"] is True
    assert (report["snapshot"] is None) is (kept == "nothing")
    assert (report["recent"] is None) is (kept != "records")
