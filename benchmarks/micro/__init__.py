"""Measurements of parts that need no server."""
