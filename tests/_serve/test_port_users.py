from __future__ import annotations

import os
import socket

from tornado._serve import port_users


def test_process_that_listens_is_named():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        [found] = port_users.find(sock.getsockname()[1])
    assert found.startswith(f"process {os.getpid()} (")
    assert "python" in found


def test_ipv6_sockets_are_found():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sock:
        assert len(port_users.find(sock.getsockname()[1])) == 1


def test_port_without_listener_has_no_users():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert port_users.find(sock.getsockname()[1]) == []


def test_system_without_proc(tmp_path):
    assert port_users.find(80, str(tmp_path)) == []


def test_tables_and_processes_of_others_are_skipped(tmp_path):
    """An unreadable process, one without a command line, one with control characters, and one with a long "
    "one."""
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:0050 00000000:0000 {} 00000000:00000000 00:00000000 00000000 0 0 {} 1\n"
    (tmp_path / "net" / "tcp").write_text("heading\n" + row.format("0A", 7) + row.format("01", 8))
    for pid, command in (("1", None), ("2", b""), ("3", b"a\x1bb\0"), ("4", b"python\0" + b"x" * 99)):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "fd" / "3").symlink_to("socket:[7]" if pid != "2" else "socket:[8]")
        (tmp_path / pid / "fd" / "4").write_text("")
        if command is not None:
            (tmp_path / pid / "cmdline").write_bytes(command)
    (tmp_path / "5").mkdir()
    assert port_users.find(80, str(tmp_path)) == [
        "process 1",
        "process 3",
        f"process 4 (python {'x' * 52}…)",
    ]
