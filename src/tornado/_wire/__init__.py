"""Protocols without input or output: bytes go in, values come out.

Nothing here knows about sockets, event loops or clocks; whatever depends on time or chance is an argument.
"""
