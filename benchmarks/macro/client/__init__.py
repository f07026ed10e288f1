"""Measure HTTP clients: persistent and new connections, small and large bodies, idle connections.

``python -m benchmarks.macro.client --help`` shows the options.
"""
