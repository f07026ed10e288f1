"""User-space instructions of a process, counted by hardware counters if available, otherwise by callgrind."""

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
    """Return ``perf`` if hardware counters are available, else ``callgrind`` if installed, else an empty
    string. ``BENCH_COUNTER`` set to ``callgrind`` excludes hardware counters.
    """
    if os.environ.get("BENCH_COUNTER") != "callgrind" and shutil.which("perf"):
        command = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if re.search(r"^\d+,", done.stderr, re.MULTILINE):
            return "perf"
    return "callgrind" if shutil.which("valgrind") else ""


def wrapper(folder: Path) -> list[str]:
    """Return the command prefix that a process needs for counting; its reports are written to `folder`."""
    if method() == "perf":
        return []
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]


class Count:
    """The number of instructions of a block; set when the block ends."""

    value = 0


@contextmanager
def counting(pid: int, folder: Path) -> Iterator[Count]:
    """Count the instructions of a process during the block.

    :param folder: the folder that was passed to `wrapper`.
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
    # perf reports through a pipe when counting has started. The block waits for that report; otherwise its
    # start would not be counted.
    reader, writer = os.pipe()
    heard, answer = os.pipe()
    command = ["perf", "stat", "-x,", "-e", "instructions:u", "-D", "-1", "-p", str(pid)]
    command += ["--control", f"fd:{reader},{answer}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, pass_fds=(reader, answer))
    try:
        os.write(writer, b"enable\n")
        os.read(heard, 16)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, report = process.communicate()
        for descriptor in (reader, writer, heard, answer):
            os.close(descriptor)
    found = re.search(r"^(\d+),", report, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"perf counted nothing:\n{report}")
    count.value = int(found[1])


def _dump(pid: int, folder: Path) -> int:
    """Return the number of instructions since the last call."""
    before = set(folder.glob("out.*"))
    subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
    total = 0
    for path in set(folder.glob("out.*")) - before:
        found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(errors="replace"), re.MULTILINE)
        total += int(found[1]) if found else 0
    return total
