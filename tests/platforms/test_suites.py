"""Existing tests, which are executed once more as on macOS and Windows.

On Windows they use the default loop, which has no ``add_reader``: sockets are watched by the selector thread.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.platforms import EMULATION, PLATFORMS
from tests.support.program import PYTHON, ROOT

#: Files and folders, relative to ``tests``.
SUITES = (
    "test_httpserver.py",
    "test_ioloop.py",
    "test_tcpclient.py",
    "test_tcpserver.py",
    "channels/test_handler.py",
    "channels/test_hub.py",
    "simple_httpclient/test_fetch.py",
    "testing",
    "web/_files/test_static.py",
    "web/_files/test_static_precompressed.py",
    "web/_input/test_uploaded_file.py",
    "websocket/test_broadcast.py",
    "websocket/test_client.py",
    "websocket/test_handler.py",
)
#: Tests that fail for a reason of the test on the emulated platform.
EXCEPT = {
    "test_handler_can_remove_itself_or_another": "counts iterations of the loop; the thread needs more",
    "test_close_discards_messages_over_the_queue_limits": "counts iterations of the loop",
    "test_writing_waits_for_the_server": "counts iterations of the loop",
    "test_idle_connection_timeout": "short times, which the thread exceeds on a busy machine",
    "test_timeout_during_handshake": "short times",
    "test_other_family_starts_after_the_delay": "short times",
    "test_close_all_connections": "its client writes to the closed connection",
    "fifo": "Windows has no FIFOs",
    "test_unix_socket": "Windows has no Unix sockets in Python",
    "test_start_does_not_fork_a_running_loop": "expects the error of a platform with fork",
    "test_content_is_complete_after_partial_writes": "replaces os.writev, which Windows does not have",
}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_suite_passes(platform: str, suite: str) -> None:
    excluded = [*EXCEPT] if platform == "win32" else []
    # uvloop does not use the platform's modules.
    selection = " and ".join(f"not {each}" for each in ["uvloop", *excluded])
    command = [PYTHON, EMULATION, platform, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-m", "not slow and not external", "-k", selection, f"tests/{suite}"]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 1, done.stdout
