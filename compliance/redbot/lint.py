"""Read checks as JSON from standard input, and print REDbot's notes; run in REDbot's environment.

A check is ``[method, url, {field: value}]``; its result is ``[status, [[level, subject, summary], …]]``, or
``[null, …]`` if there was no response. The notes include those on the further requests that REDbot makes.
"""

from __future__ import annotations

import json
import sys
from configparser import ConfigParser
from typing import Any

import thor

from redbot.resource import HttpResource


def examine(checks: list[list[Any]]) -> list[Any]:
    """Check all resources concurrently."""
    parser = ConfigParser()
    parser.read_dict({"redbot": {"enable_local_access": "True"}})
    resources = []
    waiting = len(checks)

    def done(*_arguments: object) -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            thor.stop()

    for method, url, fields in checks:
        resource = HttpResource(parser["redbot"])
        resource.set_request(url, method=method, headers=list(fields.items()))
        resource.on("check_done", done)
        resources.append(resource)
    thor.schedule(50, thor.stop)  # an incomplete result is better than none
    for resource in resources:
        resource.check()
    if waiting:
        thor.run()
    return [told(resource) for resource in resources]


def told(resource: Any) -> list[Any]:
    """Return the status, and the notes on the response and on the responses to REDbot's further requests."""
    notes = []
    responses = [("", resource)] + [(f"{check.check_name}: ", check) for check in resource.subreqs.values()]
    for which, fetched in responses:
        noted = [*fetched.response.notes, *getattr(fetched, "notes", ())]
        notes += [[note.level.value, which + note.subject, str(note.summary)] for note in noted]
    if resource.fetch_error is not None:
        notes.append(["bad", "fetch", str(resource.fetch_error.desc)])
    if not resource.response.complete:
        notes.append(["bad", "fetch", "the response is not complete"])
    code = resource.response.status_code
    return [None if code is None else int(code), notes]


if __name__ == "__main__":
    json.dump(examine(json.load(sys.stdin)), sys.stdout)
