"""The command ``python -m tornado ctl``: shows and controls a running service through ``--admin``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from tornado._serve import ctl_tables
from tornado._serve.arguments import Arguments, ConfigurationError, suggestion
from tornado._serve.configuration import text_of
from tornado._serve.ctl_client import FORMS, Client, ControlError
from tornado._serve.ctl_wait import act_and_wait
from tornado._serve.printable import printable

#: The actions, with the name of their argument or None.
_ACTIONS: dict[str, str | None] = {"reload": None, "drain": None, "scale": "number", "restart": "worker"}
_VIEWS: dict[str, str | None] = {"status": None, "requests": None, "errors": None, "log": "request id"}


def run(arguments: Arguments, environment: Mapping[str, str]) -> str:
    """Run the command, and return its output.

    :raises ConfigurationError: if the command line is wrong.
    :raises ControlError: if the service cannot be reached, or refuses the request.
    """
    name, argument = _command(arguments)
    text = text_of("admin", arguments, environment)
    if text is None:
        raise ConfigurationError(
            f"expected the address of the administration as --admin, {FORMS}, got none; it is the value of "
            "--admin of the service"
        )
    certificate = text_of("admin_certificate", arguments, environment)
    client = Client(text, text_of("admin_token", arguments, environment), certificate)
    as_json = "--json" in arguments.switches
    waits = "--wait" in arguments.switches
    if waits and name not in _ACTIONS:
        raise ConfigurationError(
            f"--wait: {name} has nothing to wait for; expected one of {', '.join(_ACTIONS)}"
        )
    if name in _ACTIONS:
        return _act(client, name, argument, as_json=as_json, waits=waits)
    path = f"api/requests/{argument}/log" if name == "log" else f"api/{name}"
    answer = client.request("GET", path)
    answer.pop("xsrf", None)
    return _json(answer) if as_json else ctl_tables.TABLES[name](printable(answer), time.time())


def _command(arguments: Arguments) -> tuple[str, str | None]:
    """Return the name of the subcommand and its argument."""
    known = {**_VIEWS, **_ACTIONS}
    if arguments.target is None:
        raise ConfigurationError(f"expected one of {', '.join(known)}, got none")
    name = arguments.target
    if name not in known:
        hint = suggestion(name, known) or f"; expected one of {', '.join(known)}"
        raise ConfigurationError(f"unknown subcommand {name!r}{hint}")
    argument, *rest = [*arguments.words, None]
    needed = known[name]
    if (needed is None) is not (argument is None) or len(rest) > 1:
        expected = f"a {needed}" if needed else "no argument"
        raise ConfigurationError(f"{name}: expected {expected}, got {' '.join(arguments.words) or 'none'}")
    if name in ("scale", "restart") and not (argument or "").isdecimal():
        raise ConfigurationError(f"{name}: expected a {needed}, got {argument!r}")
    return name, argument


def _act(client: Client, name: str, argument: str | None, *, as_json: bool, waits: bool) -> str:
    path, body = f"api/{name}", {}
    if name == "restart":
        path += f"/{argument}"
    elif name == "scale":
        body["workers"] = str(argument)
    if waits:
        text = act_and_wait(client, name, path, body, argument)
        return _json({"done": name, "text": text.rstrip()}) if as_json else text
    answer = client.request("POST", path, body)
    words = [name] if argument is None else [name, argument]
    return _json(answer) if as_json else f"requested: {' '.join(words)}\n"


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=2) + "\n"


__all__ = ["ControlError", "run"]
