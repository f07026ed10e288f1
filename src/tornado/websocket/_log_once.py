"""Log records that are written once, however many connections they are true of."""

from __future__ import annotations

import functools
from typing import Any

from tornado.log import gen_log


@functools.lru_cache(maxsize=256)
def de_dupe_gen_log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Log on ``tornado.general``, unless the very same was logged before.

    :param level: of `logging`.
    :param args: for `msg`; hashable.
    """
    gen_log.log(level, msg, *args, **kwargs)


__all__ = ["de_dupe_gen_log"]
