"""Forks the child processes of the supervisor."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from tornado import _process_replacement
from tornado._forked_children import fork_process
from tornado._serve import notify, supervisor_signals
from tornado._serve.log_stream import finish_streams

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")


def fork(run: Callable[[], int]) -> int:
    """Run a function in a child process, and return its process ID.

    The child has the default handlers of the supervisor's signals, and not the variables of systemd.

    :param run: returns the exit status. It closes what the child must not keep open first.
    :raises OSError: if there are too many processes.
    """
    _process_replacement.flush()
    gc.freeze()  # otherwise a collection in the child would write to, and copy, all pages
    # A signal to the child before it has restored the handlers would be taken for one to the supervisor.
    supervisor_signals.block()
    try:
        pid = fork_process()
        if pid == 0:
            _run_child(run)
    finally:
        gc.unfreeze()
        supervisor_signals.unblock()
    return pid


def _run_child(run: Callable[[], int]) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in supervisor_signals.HANDLED:
            signal.signal(number, signal.SIG_DFL)
        supervisor_signals.unblock()
        for variable in notify.VARIABLES:
            os.environ.pop(variable, None)
        status = run()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.stderr.write(traceback.format_exc())
    finally:
        try:
            finish_streams()
            _process_replacement.flush()
        finally:
            # Clean-up functions and `finally` blocks further up belong to the supervisor.
            os._exit(status)


__all__ = ["fork"]
