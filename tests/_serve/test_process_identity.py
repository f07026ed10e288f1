"""The titles of the processes of a service, and the keys of their log records."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.admin import AdministeredService
from tests.support.program import output_of
from tests.support.supervisor import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="requires /proc")


def test_titles_tell_the_processes_apart(tmp_path):
    with AdministeredService(tmp_path, "--workers=2") as service:
        supervisor = service.process.pid
        names, lines = set(), set()
        for pid in (supervisor, *children(supervisor)):
            names.add(Path(f"/proc/{pid}/comm").read_text().strip())
            line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            lines.add(line[0].decode().partition(": ")[0])
            assert line[0].endswith(Path(sys.executable).name.encode())
            assert line[1:5] == [b"-m", b"tornado", b"serve", b"app"]
        assert lines == {"supervisor", "administration", "worker 0", "worker 1"}
        assert names == {name[:15] for name in lines}
        assert service.stop() == 0


def test_title_does_not_exceed_the_command_line():
    source = """
        from pathlib import Path
        from tornado._serve.process_identity import become, log_fields
        assert log_fields() == {}
        before = Path("/proc/self/environ").read_bytes()
        become("x" * 100_000, 3)
        line = Path("/proc/self/cmdline").read_bytes()
        unchanged = Path("/proc/self/environ").read_bytes() == before
        print(set(line.strip(b"\\0")), log_fields()["worker"], unchanged)
    """
    assert output_of(source) == "{120} 3 True\n"


def test_json_records_have_the_process_its_role_and_the_number_of_the_worker(tmp_path):
    options = (
        "--log-format=json",
        "--access-log=json",
        "--workers=2",
        "--hang-timeout=500ms",
        "--grace=100ms",
    )
    with AdministeredService(tmp_path, *options) as service:
        supervisor = service.process.pid
        worker = service.worker()
        with service.sending("/block?seconds=600", "blocking"):
            service.wait_for("is killed")
        service.change("raise RuntimeError('this deploy is bad')\n")
        service.reload()
        service.stop()
    lines = [line for line in service.output.splitlines() if line != "blocking"]
    records = [json.loads(line) for line in lines]  # nothing is written but records
    (access,) = [each for each in records if each.get("target") == "/"]
    assert (access["process"], access["role"]) == (worker, "worker")
    assert access["worker"] in (0, 1)
    assert all(each["process"] == supervisor for each in records if each["role"] == "supervisor")
    (stacks,) = [each for each in records if "the stacks of worker" in each.get("message", "")]
    assert "most recent call first" in stacks["stack"]
    assert "app.py" in stacks["stack"]
    (failed,) = [each for each in records if "reload failed" in each.get("message", "")]
    assert "\n" not in failed["message"]
    assert failed["message"].endswith("cannot load 'app': its import has failed")
    assert failed["exception"].endswith("RuntimeError: this deploy is bad")
