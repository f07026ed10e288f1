"""Streams in pull mode, ours beside upstream's: bulk, lines, small messages, connections.

``python -m benchmarks.macro.stream --help`` says how to run it.
"""
