"""``ctl --wait``: waits until an action is complete, and reports a failure."""

from __future__ import annotations

import time
from typing import Any

from tornado._serve.ctl_client import Client, ControlError

__all__ = ["act_and_wait"]

#: The time between two questions, in seconds.
_INTERVAL = 0.1
#: How long the administration may be unreachable, in seconds: it is started again if it is killed.
_MAX_SILENCE = 10.0

Status = dict[str, Any]


def act_and_wait(client: Client, name: str, path: str, body: dict[str, str], argument: str | None) -> str:
    """Request an action, wait until it is complete, and return a text for the user.

    :param name: ``reload``, ``drain``, ``scale`` or ``restart``.
    :param path: the path of the action, and `body` its form.
    :param argument: the number of workers, or that of a worker.
    :raises ControlError: if the action fails.
    """
    if name == "drain":
        return _drain(client, path, body)
    before = client.request("GET", "api/status")
    _ = client.request("POST", path, body)
    while True:
        present = _status(client)
        service = present["service"]
        if service["state"] not in ("serving", "reloading"):
            raise ControlError(f"{name} has not completed: the service is {service['state']}")
        text = _reload(present) if name == "reload" else _change(name, int(argument or 0), before, present)
        if text is not None:
            return text
        time.sleep(_INTERVAL)


def _reload(present: Status) -> str | None:
    service = present["service"]
    if service["state"] == "reloading":
        return None
    if service["reload_error"] is not None:
        raise ControlError(f"reload failed, the old workers continue to serve: {service['reload_error']}")
    return f"reload complete: {service['serving']} workers serve\n"


def _change(name: str, number: int, before: Status, present: Status) -> str | None:
    """Return the text for a change of the number of workers, or of one worker; None if it is not complete."""
    if _failures(present) > _failures(before):
        error = present["service"]["start_error"] or "its log has the reason"
        raise ControlError(f"{name} has not completed, a worker cannot start: {error}")
    if name == "scale":
        service = present["service"]
        if service["size"] != number:
            raise ControlError(f"scale has not completed: {service['size']} workers were requested since")
        complete = service["serving"] == number == len(present["workers"])
        return f"{number} workers serve\n" if complete else None
    old = {worker["pid"] for worker in before["workers"]}
    states = [
        (worker["state"], worker["pid"] in old)
        for worker in present["workers"]
        if worker["number"] == number and worker["state"] != "draining"
    ]
    return f"worker {number} restarted\n" if states == [("serving", False)] else None


def _failures(status: Status) -> int:
    count: int = status["service"]["restarts"].get("failed", 0)
    return count


def _status(client: Client) -> Status:
    """Return the status. The administration may be unreachable for a short time."""
    end = time.monotonic() + _MAX_SILENCE
    while True:
        try:
            return client.request("GET", "api/status")
        except ControlError:
            if time.monotonic() > end:
                raise
        time.sleep(_INTERVAL)


def _drain(client: Client, path: str, body: dict[str, str]) -> str:
    # This request is sent first, because the service may end before another one arrives.
    waiting = client.send("GET", "api/end", timeout=None)
    try:
        _ = client.request("POST", path, body)
        status = client.receive(waiting)["exit_status"]
    finally:
        waiting.close()
    if status:
        raise ControlError(f"the service has ended with status {status}: requests were cut off, see its log")
    return "the service has ended, all requests were completed\n"
