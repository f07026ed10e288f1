"""Measure streams in pull mode with bulk data, lines, small messages and short connections.

``python -m benchmarks.macro.stream --help`` shows the options.
"""
