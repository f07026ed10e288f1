from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys

import pytest

from tornado._serve.unix_socket import bind_replacing


def accepts(sock, path):
    """Whether a client that connects to `path` reaches `sock`."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def path(tmp_path, monkeypatch):
    # pytest's names of temporary directories may be too long for a socket.
    monkeypatch.chdir(tmp_path)
    return "s"


def test_file_has_its_mode_and_is_removed(path):
    sock, file = bind_replacing(path, 0o640, 5)
    with sock:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        assert not sock.getblocking()
        assert os.listdir(".") == ["s"]
        assert accepts(sock, path)
    assert file.remove()
    assert os.listdir(".") == []
    assert not file.remove()


def test_file_of_a_dead_server_is_replaced(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    sock, _ = bind_replacing(path, 0o600, 5)
    with sock:
        assert accepts(sock, path)


def test_running_server_is_replaced_and_does_not_remove_the_file_of_its_successor(path, expect_log):
    first, first_file = bind_replacing(path, 0o600, 5)
    with expect_log("tornado.general", f"unix:.*/s is taken over from process {os.getpid()} .*still runs"):
        second, second_file = bind_replacing(path, 0o600, 5)
    first.accept()[0].close()  # the connection that has found the process
    with first, second:
        assert accepts(second, path)
        assert not first_file.remove()
        assert accepts(second, path)
        assert second_file.remove()


def test_client_can_connect_at_any_moment_of_a_replacement(path, monkeypatch, expect_log):
    first, _ = bind_replacing(path, 0o600, 5)
    reached = []

    def connect_and(rename):
        def call(*arguments):
            reached.append(accepts(first, path))
            rename(*arguments)

        return call

    monkeypatch.setattr(os, "rename", connect_and(os.rename))
    monkeypatch.setattr(os, "chmod", connect_and(os.chmod))
    with expect_log("tornado.general", "is taken over"):
        second, _ = bind_replacing(path, 0o600, 5)
    with first, second:
        assert reached == [True, True]
        assert accepts(second, path)


def test_child_process_does_not_remove_the_file(path):
    sock, file = bind_replacing(path, 0o600, 5)
    with sock:
        pid = os.fork()
        if not pid:
            os._exit(file.remove())
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert accepts(sock, path)


def test_path_stays_valid_after_a_change_of_directory(path, tmp_path):
    sock, file = bind_replacing(path, 0o600, 5)
    os.chdir("/")
    sock.close()
    assert file.remove()
    assert os.listdir(tmp_path) == []


def test_other_files_are_not_replaced(path):
    with open(path, "w"):
        pass
    with pytest.raises(ValueError, match="cannot listen on '.*s': it exists and is not a socket"):
        bind_replacing(path, 0o600, 5)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/nowhere/s", "No such file"), ("/tmp/" + "a" * 99, "the path has 104 bytes; at most 103 are allowed")],
)
def test_errors_name_the_path(path, reason):
    with pytest.raises(OSError, match=f"cannot listen on the Unix socket '{path}': {reason}"):
        bind_replacing(path, 0o600, 5)


def test_nothing_remains_after_an_error(path, monkeypatch):
    def fail(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(PermissionError, match="Operation not permitted"):
        bind_replacing(path, 0o600, 5)
    assert os.listdir(".") == []


def test_socket_of_the_program_before_its_restart_is_used(path):
    program = """
import os, socket, sys
from tornado import _process_replacement
from tornado._serve.unix_socket import bind_replacing
sock, file = bind_replacing("s", 0o600, 5)
inode = os.fstat(sock.fileno()).st_ino
if len(sys.argv) == 1:
    client = socket.socket(socket.AF_UNIX)
    client.connect("s")
    client.set_inheritable(True)
    os.environ["INODE"] = str(inode)
    sys.orig_argv.append("again")
    _process_replacement.execute({})
connection, _ = sock.accept()
print(os.environ["INODE"] == str(inode), file.remove())
"""
    with open("program.py", "w") as file:
        file.write(program)
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True True\n", done.stderr
