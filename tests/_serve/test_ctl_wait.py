"""``ctl --wait`` on real services."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.admin import AdministeredService
from tests.support.serve import run_command
from tests.support.supervisor import PROGRAM

BROKEN = PROGRAM + "\nraise ValueError('the version is broken')\n"


def ctl(folder: Path, service: AdministeredService, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command(folder, "ctl", f"--admin=127.0.0.1:{service.admin}", *words)


def test_reload_returns_when_all_workers_are_new(tmp_path):
    with AdministeredService(tmp_path, "--workers=2") as service:
        old = {worker["pid"] for worker in service.json("/api/status")["workers"]}
        service.change(PROGRAM.replace('VERSION = "1"', 'VERSION = "2"'))
        done = ctl(tmp_path, service, "reload", "--wait")
        assert (done.returncode, done.stdout) == (0, "reload complete: 2 workers serve\n")
        status = service.json("/api/status")
        assert status["service"]["state"] == "serving"
        serving = {worker["pid"] for worker in status["workers"] if worker["state"] == "serving"}
        assert len(serving) == 2
        assert not serving & old
        service.stop()


def test_failed_reload_is_reported(tmp_path):
    with AdministeredService(tmp_path, "--workers=2") as service:
        service.change(BROKEN)
        done = ctl(tmp_path, service, "reload", "--wait")
        assert (done.returncode, done.stdout) == (1, "")
        text, place = done.stderr.split(" (")
        assert text == (
            "tornado ctl: reload failed, the old workers continue to serve: "
            "cannot load 'app': its import has failed: ValueError: the version is broken"
        )
        assert place.startswith(f"{tmp_path}/app.py:")
        service.get()
        service.stop()


def test_scale_and_restart_return_when_the_workers_serve(tmp_path):
    with AdministeredService(tmp_path, "--workers=1") as service:
        old = service.worker()
        done = ctl(tmp_path, service, "scale", "3", "--wait", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert '"text": "3 workers serve"' in done.stdout
        assert service.json("/api/status")["service"]["serving"] == 3
        done = ctl(tmp_path, service, "restart", "0", "--wait")
        assert (done.returncode, done.stdout) == (0, "worker 0 restarted\n")
        assert old not in {
            worker["pid"] for worker in service.json("/api/status")["workers"] if worker["state"] == "serving"
        }
        done = ctl(tmp_path, service, "scale", "1", "--wait")
        assert (done.returncode, done.stdout) == (0, "1 workers serve\n")
        assert len(service.json("/api/status")["workers"]) == 1
        service.stop()


@pytest.mark.parametrize("words", [("scale", "2"), ("restart", "0")])
def test_worker_that_cannot_start_is_reported(words, tmp_path):
    with AdministeredService(tmp_path, "--workers=1") as service:
        service.change(BROKEN)
        done = ctl(tmp_path, service, *words, "--wait")
        assert done.returncode == 1
        text, place = done.stderr.split(" (")
        assert text == (
            f"tornado ctl: {words[0]} has not completed, a worker cannot start: "
            "cannot load 'app': its import has failed: ValueError: the version is broken"
        )
        assert place.startswith(f"{tmp_path}/app.py:")
        service.get()
        service.stop()


def test_drain_returns_when_the_service_has_ended(tmp_path):
    with (
        AdministeredService(tmp_path, "--workers=2") as service,
        service.sending("/wait?seconds=1", "waiting"),
    ):
        done = ctl(tmp_path, service, "drain", "--wait")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the service has ended, all requests were completed\n"
        assert service.end() == 0


def test_drain_reports_requests_that_were_cut_off(tmp_path):
    with (
        AdministeredService(tmp_path, "--grace=100ms") as service,
        service.sending("/wait?seconds=60", "waiting"),
    ):
        done = ctl(tmp_path, service, "drain", "--wait")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "tornado ctl: the service has ended with status 1: requests were cut off, see its log\n"
        )
        assert service.end() == 1
