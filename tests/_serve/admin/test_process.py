"""The administration of services with real processes and signals."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket

import pytest

from tests.support.admin import AdministeredService
from tests.support.supervisor import PROGRAM, SupervisedService, children, ends

COUNT = "http_server_request_duration_seconds_count"
FAILING = (
    PROGRAM
    + """

class Fail(web.RequestHandler):
    def get(self):
        if self.get_argument("hangs", None):
            asyncio.get_running_loop().call_later(0.05, time.sleep, 600)
        raise ValueError("the price is negative")


application.add_handlers(".*", [("/fail", Fail)])
"""
)


def workers(service: AdministeredService) -> list[int]:
    """Return the process IDs of the workers that serve."""
    found = service.json("/api/status")["workers"]
    return [worker["pid"] for worker in found if worker["state"] == "serving"]


def admin_process(service: AdministeredService) -> int:
    """Return the process ID of the administration."""
    found = service.json("/api/status")["workers"]
    (pid,) = children(service.process.pid) - {worker["pid"] for worker in found}
    return pid


def test_metrics_do_not_decrease_when_workers_are_replaced_and_killed(tmp_path):
    with AdministeredService(tmp_path, "--workers=2") as service:
        for _ in range(5):
            service.get()
        assert service.metric(COUNT) == 5
        service.reload()
        for _ in range(3):
            service.get()
        assert service.metric(COUNT) == 8
        for pid in workers(service):
            os.kill(pid, signal.SIGKILL)
            service.wait_for("was killed by SIGKILL")
            service.wait_for("serves")
        service.get()
        assert service.metric(COUNT) == 9
        assert service.metric("tornado_workers_restarts_total") == 4
        assert service.stop() == 0


def test_request_that_ends_during_the_drain_of_its_worker_is_counted(tmp_path):
    with AdministeredService(tmp_path) as service:
        (first,) = workers(service)
        with service.sending("/wait?seconds=0.5", "waiting") as connection:
            service.signal(signal.SIGHUP)
            assert connection.getresponse().read() == b"waited"
        service.wait_for("reload complete")
        assert ends(first)
        assert service.metric(COUNT) == 1
        assert service.stop() == 0


@pytest.mark.parametrize("path", ["/wait?seconds=60", "/block?seconds=60"])
def test_request_that_hangs_is_listed_with_its_stack(tmp_path, path):
    output = "waiting" if "wait" in path else "blocking"
    with AdministeredService(tmp_path, "--workers=2", "--grace=100ms") as service:
        with service.sending(path, output):
            (request,) = service.json("/api/requests")["requests"]
            assert request["target"] == path
            assert request["route"] == path.partition("?")[0]
            assert any("app.py" in frame for frame in request["stack"])
            assert request["pid"] in workers(service)
            service.signal(signal.SIGTERM)
        service.end()


def test_error_and_log_of_its_request_are_shown_also_after_the_end_of_the_worker(tmp_path):
    with AdministeredService(tmp_path, source=FAILING) as service:
        with contextlib.closing(service.connect()) as connection:
            connection.request("GET", "/fail")
            assert connection.getresponse().status == 500
        (error,) = service.json("/api/errors")["errors"]
        assert error["type"] == "ValueError"
        assert 'raise ValueError("the price is negative")' in error["traceback"]
        (record,) = service.json(f"/api/requests/{error['request_id']}/log")["records"]
        assert record["level"] == "ERROR"
        os.kill(workers(service)[0], signal.SIGKILL)
        service.wait_for("serves")
        assert [each["id"] for each in service.json("/api/errors")["errors"]] == [error["id"]]
        assert service.stop() == 0


@pytest.mark.parametrize("path", ["/fail", "/fail?hangs=1"])
def test_error_and_log_are_shown_although_they_are_asked_for_after_the_end_of_the_worker(tmp_path, path):
    """One asks exactly when a worker has been replaced. Without a reader, errors are collected rarely."""
    options = ("--hang-timeout=500ms", "--grace=2s", "--request-id")
    with AdministeredService(tmp_path, *options, source=FAILING) as service:
        (first,) = workers(service)
        with contextlib.closing(service.connect()) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 500
            request_id = response.getheader("X-Request-Id")
        if "hangs" not in path:
            service.signal(signal.SIGHUP)
            service.wait_for("reload complete")
        assert ends(first)
        (error,) = service.json("/api/errors")["errors"]
        assert (error["type"], error["request_id"], error["pid"]) == ("ValueError", request_id, first)
        records = service.json(f"/api/requests/{request_id}/log")["records"]
        assert "ERROR" in {record["level"] for record in records}
        assert service.stop() == 0


def test_service_is_not_ready_from_the_signal_to_the_end(tmp_path):
    with AdministeredService(tmp_path, "--drain-delay=700ms") as service:
        assert service.ask("/readyz") == (200, b"ready\n")
        service.signal(signal.SIGTERM)
        service.wait_for("draining")
        assert service.ask("/readyz") == (503, b"not ready: stopping\n")
        assert service.ask("/livez")[0] == 200
        assert service.get()  # the listener still accepts
        assert service.end() == 0
        with pytest.raises(ConnectionRefusedError):
            service.ask("/livez")


def test_actions_change_the_service(tmp_path):
    with AdministeredService(tmp_path) as service:
        (first,) = workers(service)
        service.act("restart/0")
        service.wait_for("serves")
        assert ends(first)
        (second,) = workers(service)
        assert second != first
        assert service.json("/api/status")["workers"][0]["restarts"] == 1
        service.act("scale", b"workers=2")
        service.wait_for("2 workers instead of 1")
        service.wait_for("serves")
        assert len(workers(service)) == 2
        service.act("reload")
        service.wait_for("reload complete: 2 workers replaced")
        service.act("drain")
        assert service.end() == 0


def test_failed_reload_is_part_of_the_status(tmp_path):
    with AdministeredService(tmp_path) as service:
        service.change("raise RuntimeError('this deploy is bad')\n")
        service.act("reload")
        service.wait_for("reload failed")
        assert service.json("/api/status")["service"]["reload_error"] == (
            "cannot load 'app': its import has failed: RuntimeError: this deploy is bad "
            f"({tmp_path}/app.py:1)"
        )
        assert service.stop() == 0


def test_killed_administration_is_started_again_and_keeps_the_counts(tmp_path):
    with AdministeredService(tmp_path) as service:
        service.get()
        service.act("restart/0")
        service.wait_for("serves")
        service.get()
        assert service.metric(COUNT) == 2
        first = admin_process(service)
        os.kill(first, signal.SIGKILL)
        service.wait_for("the process of --admin has ended")
        assert service.metric(COUNT) == 2
        assert admin_process(service) != first
        assert service.stop() == 0


def test_administration_continues_when_the_supervisor_replaces_itself(tmp_path):
    with AdministeredService(tmp_path) as service:
        service.get()
        first = admin_process(service)
        service.signal(signal.SIGUSR2)
        service.wait_for("the supervisor has been replaced")
        assert service.metric(COUNT) == 1
        assert admin_process(service) == first
        service.act("reload")
        service.wait_for("reload complete")
        assert service.metric(COUNT) == 1
        assert service.stop() == 0


def test_administration_ends_with_a_killed_supervisor(tmp_path):
    with AdministeredService(tmp_path) as service:
        pid = admin_process(service)
        service.process.kill()
        assert ends(pid, 1.0)
        options = (f"--bind=127.0.0.1:{service.number}", f"--admin=127.0.0.1:{service.admin}")
        with SupervisedService(tmp_path, *options) as second:
            assert second.stop() == 0


def test_signals_to_the_process_group_do_not_end_the_administration(tmp_path):
    with AdministeredService(tmp_path, "--drain-delay=500ms") as service:
        os.kill(admin_process(service), signal.SIGTERM)
        os.kill(admin_process(service), signal.SIGINT)
        service.signal(signal.SIGTERM)
        service.wait_for("draining")
        assert service.ask("/readyz")[0] == 503
        assert service.end() == 0


def test_stopped_supervisor_is_not_live(tmp_path):
    with AdministeredService(tmp_path) as service:
        service.signal(signal.SIGSTOP)
        code, body = service.ask("/livez")
        service.signal(signal.SIGCONT)
        assert (code, body) == (503, b"the supervisor does not answer\n")
        assert service.ask("/livez")[0] == 200
        assert service.stop() == 0


def test_stopped_worker_does_not_delay_the_status_of_the_others(tmp_path):
    with AdministeredService(tmp_path, "--workers=2") as service:
        stopped = workers(service)[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            assert service.ask("/metrics")[0] == 200
            assert len(service.json("/api/status")["workers"]) == 2
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert service.stop() == 0


def test_socket_file_is_for_its_owner_only(tmp_path):
    path = tmp_path / "admin.sock"
    with SupervisedService(tmp_path, f"--admin=unix:{path}") as service:
        service.wait_for("administration on unix:")
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            assert sock.makefile("rb").read().endswith(b"ready\n")
        assert service.stop() == 0
    assert not path.exists()


def test_generated_token_is_logged_and_required(tmp_path):
    with SupervisedService(tmp_path, "--admin=0.0.0.0:0") as service:
        port = int(service.wait_for(r"administration on http://localhost:(\d+)")[1])
        token = service.wait_for(r"token of the administration .*: (\S+)$")[1]
        for field, code in (("wrong", 401), (token, 200)):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {field}"})
                assert connection.getresponse().status == code
        assert service.stop() == 0


def test_other_applications_have_a_status_and_no_metrics(tmp_path):
    source = """
        from tornado.httputil import HTTPHeaders, ResponseStartLine

        def application(request):
            line, headers = ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "5"})
            request.connection.write_headers(line, headers, b"Hello")
            request.connection.finish()
    """
    with AdministeredService(tmp_path, source=source) as service:
        assert service.get() == "Hello"
        assert service.metric(COUNT) == 0
        assert service.json("/api/requests") == {"requests": []}
        assert service.json("/api/status")["workers"][0]["now"] is None
        assert service.stop() == 0


def test_port_in_use_is_reported(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=rf"cannot listen on 127.0.0.1:{port}"):
            AdministeredService(tmp_path, f"--admin=127.0.0.1:{port}").__enter__()


def test_generated_token_remains_valid_when_the_supervisor_replaces_itself(tmp_path):
    with SupervisedService(tmp_path, "--admin=0.0.0.0:0") as service:
        port = int(service.wait_for(r"administration on http://localhost:(\d+)")[1])
        token = service.wait_for(r"token of the administration .*: (\S+)$")[1]
        service.signal(signal.SIGUSR2)
        service.wait_for("the supervisor has been replaced")
        (worker,) = {service.worker()}
        (admin,) = children(service.process.pid) - {worker}
        os.kill(admin, signal.SIGKILL)
        service.wait_for("the process of --admin has ended")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/api/status", headers={"Authorization": f"Bearer {token}"})
            assert connection.getresponse().status == 200
        assert service.stop() == 0
