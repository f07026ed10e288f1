"""docs/guide/migrating.md."""

from __future__ import annotations

import tornado
from tests.support.guides import Run


async def check_which(run: Run) -> None:
    assert run.program["implementation"]() == f"Waterspout {tornado.waterspout_version}"


async def answers(run: Run) -> None:
    assert (await run.server.fetch("/callbacks")).body == b"called back"
    assert (await run.server.fetch("/engine")).body == b"worked"


check_classic = check_modern = answers


async def check_wsgi(run: Run) -> None:
    assert (await run.server.fetch("/live")).body == b"a handler"
    assert (await run.server.fetch("/old/page")).body == b"WSGI: /old/page"
