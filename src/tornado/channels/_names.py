"""The names of channels."""

from __future__ import annotations

import re
from typing import Any, Final

#: The first character of the names of channels for internal use.
RESERVED: Final = "$"
#: The channel of `tornado.channels.revoke`.
REVOCATIONS: Final = "$revocations"
#: The channels of presence: this prefix and the name of a channel.
PRESENCE: Final = "$presence:"
#: The maximum number of characters of a name.
MAX_CHANNEL: Final = 200

_INTERNAL = (REVOCATIONS, PRESENCE)
#: Finds a control character or a surrogate.
find_control: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def check_channel(channel: Any) -> None:
    """Check the name of a channel.

    :raises TypeError: if it is not a `str`.
    :raises ValueError: if it is not the name of a channel.
    """
    if not isinstance(channel, str):
        raise TypeError(f"expected the name of a channel, a str, got {channel!r:.100}")
    if channel.startswith(RESERVED):
        if not channel.startswith(_INTERNAL):
            raise ValueError(
                f"names of channels that begin with {RESERVED!r} are reserved, got {channel!r:.100}"
            )
    elif not 0 < len(channel) <= MAX_CHANNEL or find_control(channel) is not None:
        raise ValueError(
            f"the name of a channel has 1 to {MAX_CHANNEL} characters, none of them a control character or a "
            f"surrogate, got {channel!r:.100}"
        )


__all__ = ["MAX_CHANNEL", "PRESENCE", "RESERVED", "REVOCATIONS", "check_channel", "find_control"]
