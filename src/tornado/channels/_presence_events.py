"""`PresenceFeed`: sends the members of one channel, and their changes, to the clients of this process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tornado.channels._encoding import EncodedItem, encode_json
from tornado.channels._presence import Presence, PresenceChange
from tornado.channels._requests import encode_reply
from tornado.channels._transport import Transport


class PresenceFeed:
    """The clients that watch the members of a channel. Each event is encoded once.

    :param presence: reports the changes.
    """

    def __init__(self, channel: str, presence: Presence) -> None:
        self._channel = channel
        self._presence = presence
        self._members: dict[str, Mapping[str, Any]] | None = None
        self._state: tuple[str, EncodedItem] | None = None
        #: For each transport: the clients, and the version of the state that each of them has.
        self._receivers: dict[Transport, dict[Any, str]] = {}
        presence.watch(channel, self._changed)

    def __bool__(self) -> bool:
        """Return whether there are clients."""
        return bool(self._receivers)

    def close(self) -> None:
        """End the observation."""
        self._presence.unwatch(self._channel, self._changed)

    def add(self, receiver: Any, transport: Transport, version: str) -> None:
        """Add a client, and send it the members unless it has this version of them."""
        self._receivers.setdefault(transport, {})[receiver] = version
        if self._members is not None:
            self._send_state(transport, {receiver: version})

    def remove(self, receiver: Any, transport: Transport) -> None:
        """Remove a client, if it has been added."""
        receivers = self._receivers.get(transport, {})
        if receivers.pop(receiver, None) is not None and not receivers:
            del self._receivers[transport]

    def _changed(self, change: PresenceChange) -> None:
        is_first = self._members is None
        members = self._members = self._members or {}
        members.update(change.joined)
        members.update(change.updated)
        for name in change.left:
            members.pop(name, None)
        self._state = None
        difference = _encode_difference(change)
        for transport, receivers in list(self._receivers.items()):
            if is_first or not transport.sends_differences:
                self._send_state(transport, dict(receivers))
            else:
                transport.send_to_all(list(receivers), difference, None)

    def _send_state(self, transport: Transport, receivers: Mapping[Any, str]) -> None:
        if self._state is None:
            self._state = _encode_state(self._channel, self._members or {})
        version, item = self._state
        transport.send_to_all([each for each, known in receivers.items() if known != version], item, None)


def _encode_state(channel: str, members: Mapping[str, Any]) -> tuple[str, EncodedItem]:
    ordered = {name: dict(sorted(members[name].items())) for name in sorted(members)}
    version = hashlib.sha256(encode_json(ordered)).hexdigest()[:16]
    state = {"channel": channel, "version": version, "members": ordered}
    return version, EncodedItem(encode_reply("presence", None, state))


def _encode_difference(change: PresenceChange) -> EncodedItem:
    members: dict[str, Any] = {"channel": change.channel}
    for name in ("joined", "updated", "left"):
        if found := getattr(change, name):
            members[name] = found
    return EncodedItem(encode_reply("presence", None, members))


__all__ = ["PresenceFeed"]
