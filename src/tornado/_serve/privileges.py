"""Changes the user and the group of a worker process (``--user``, ``--group``)."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from typing import Any

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")


def drop(user: str | None, group: str | None) -> None:
    """Change the user and the group of this process, including its supplementary groups.

    :param user: a name or a number; None keeps the user. Without `group`, the group is the user's own.
    :param group: a name or a number; None keeps the group.
    :raises LookupError: if there is no such user or group.
    :raises PermissionError: if the process may not change them.
    """
    account = None if user is None else _account(user)
    if group is not None:
        gid: int | None = _group_id(group)
    else:
        gid = None if account is None else account.pw_gid
    if gid is not None:
        # While the process is still root: another user could not change its groups any more.
        if account is not None:
            os.initgroups(account.pw_name, gid)
        else:
            os.setgroups([gid])
        os.setgid(gid)
    if account is not None:
        os.setuid(account.pw_uid)
        # Programs look for their files there, and root's directory is not readable.
        os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)


def _account(user: str) -> Any:
    try:
        return pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        raise LookupError(f"there is no user {user!r}; expected a name or a number, set --user") from None


def _group_id(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise LookupError(f"there is no group {group!r}; expected a name or a number, set --group") from None


__all__ = ["drop"]
