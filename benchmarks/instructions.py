"""User-space instructions of a process: by hardware counters where there are any, else under callgrind."""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@functools.cache
def method() -> str:
    """``perf`` where the machine lets instructions be counted, else ``callgrind``, else nothing."""
    if shutil.which("perf"):
        command = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if re.search(r"^\d+,", done.stderr, re.MULTILINE):
            return "perf"
    return "callgrind" if shutil.which("valgrind") else ""


def wrapper(folder: Path) -> list[str]:
    """What a process has to run under for its instructions to be counted; its reports go to the folder."""
    if method() == "perf":
        return []
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]


class Count:
    """How many instructions a block took; known when it is over."""

    value = 0


@contextmanager
def counting(pid: int, folder: Path) -> Iterator[Count]:
    """Count the instructions of a process for the block.

    :arg folder: the one that was given to `wrapper`.
    """
    count = Count()
    if method() == "perf":
        with _perf(pid, count):
            yield count
        return
    _dump(pid, folder)
    yield count
    count.value = _dump(pid, folder)


@contextmanager
def _perf(pid: int, count: Count) -> Iterator[None]:
    # It says when it has begun: otherwise it would miss the beginning of the block.
    told, tell = os.pipe()
    heard, answer = os.pipe()
    command = ["perf", "stat", "-x,", "-e", "instructions:u", "-D", "-1", "-p", str(pid)]
    command += ["--control", f"fd:{told},{answer}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, pass_fds=(told, answer))
    try:
        os.write(tell, b"enable\n")
        os.read(heard, 16)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, report = process.communicate()
        for descriptor in (told, tell, heard, answer):
            os.close(descriptor)
    found = re.search(r"^(\d+),", report, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"perf counted nothing:\n{report}")
    count.value = int(found[1])


def _dump(pid: int, folder: Path) -> int:
    """Instructions since the last call."""
    before = set(folder.glob("out.*"))
    subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
    total = 0
    for path in set(folder.glob("out.*")) - before:
        found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(errors="replace"), re.MULTILINE)
        total += int(found[1]) if found else 0
    return total
