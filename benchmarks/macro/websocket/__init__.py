"""WebSockets: echo, broadcast and the memory of idle connections, compared with other libraries."""

from __future__ import annotations
