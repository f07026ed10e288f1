"""Log records that are written once, not once per connection."""

from __future__ import annotations

import functools
from typing import Any

from tornado.log import gen_log


@functools.lru_cache(maxsize=256)
def de_dupe_gen_log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Log a record to ``tornado.general``, unless an identical one was logged before.

    :param level: a level of `logging`.
    :param args: the arguments of `msg`, which must be hashable.
    """
    gen_log.log(level, msg, *args, **kwargs)


__all__ = ["de_dupe_gen_log"]
