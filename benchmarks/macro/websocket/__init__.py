"""Measure WebSocket echoes, broadcasts and idle connections, and compare them with other libraries."""

from __future__ import annotations
