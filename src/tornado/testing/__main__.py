"""The command ``python -m tornado.testing MODULE ...``, which runs the tests in modules."""

from __future__ import annotations

from tornado.testing._command import run_named

if __name__ == "__main__":
    run_named()
