"""Streams in pull mode: bulk data, lines, small messages, connections.

``python -m benchmarks.macro.stream --help`` shows the options.
"""
