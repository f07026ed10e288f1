"""WebSockets beside upstream's and others': echo, broadcast and what idle connections hold."""

from __future__ import annotations
