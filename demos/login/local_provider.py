"""The OpenID provider of the demo: `oidc-provider-mock`, in a separate process.

It has two users, accepts them without a password, and is for trying things out only. The process ends when
its standard input closes, so it also ends if the demo is killed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import runpy
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

USERS = (
    {"sub": "ann", "name": "Ann Example", "email": "ann@example.org", "email_verified": True},
    {"sub": "bob", "name": "Bob <Example>", "email": "bob@example.org", "email_verified": True},
)
PACKAGE = "oidc_provider_mock"
#: How long the provider may take to start, in seconds.
START_TIMEOUT = 60.0
#: The maximum number of lines of the provider's output in an error message.
MAX_LINES = 20


class ProviderFailed(Exception):
    """The local provider could not be started."""


@asynccontextmanager
async def running_provider() -> AsyncIterator[str]:
    """Run the provider for the block, on a port that the kernel chooses; the value is its issuer URL.

    :raises ProviderFailed: if the provider is not installed or does not start.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise ProviderFailed(
            "the package oidc-provider-mock is not installed: pip install -r demos/login/requirements.txt"
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        # Even if warnings are exceptions in the demo: one of the provider's packages uses what is deprecated.
        *("-W", "default"),
        __file__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: deque[str] = deque(maxlen=MAX_LINES)
    try:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                issuer = await _issuer(process.stderr, lines)
        except TimeoutError:
            issuer = None
        if issuer is None:
            raise ProviderFailed("the local provider did not start:\n" + "".join(lines))
        # The output must still be read, because the provider would block as soon as the pipe is full.
        reading = asyncio.create_task(_drain(process.stderr))
        try:
            yield issuer
        finally:
            reading.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _issuer(output: asyncio.StreamReader, lines: deque[str]) -> str | None:
    """Return the URL that the provider prints once it listens, or None if its output ends before that."""
    async for line in output:
        lines.append(line.decode(errors="replace"))
        if found := re.search(r"running on (http://\S+)", lines[-1]):
            return found[1]
    return None


async def _drain(output: asyncio.StreamReader) -> None:
    while await output.read(65536):
        pass


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _main() -> None:
    """Run the provider in this process."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    users = [f"--user-claims={json.dumps(user)}" for user in USERS]
    sys.argv = [PACKAGE, "--port=0", "--require-nonce=true", *users]
    runpy.run_module(PACKAGE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
