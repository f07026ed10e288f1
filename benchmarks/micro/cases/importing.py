"""Run ``import tornado.web`` in a fresh interpreter, from compiled files; print CPU microseconds."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

if __name__ == "__main__":
    # The first run writes the compiled files, even if the environment disables that.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for program in ("pass", "import tornado.web"):
        best = float("inf")
        for _ in range(12):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", program], check=True, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if program == "pass":
            bare = best
    print(f"{(best - bare) * 1e6:.0f}")
