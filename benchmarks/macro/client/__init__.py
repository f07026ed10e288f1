"""HTTP clients beside each other: keep-alive and new connections, small and large bodies, idle connections.

``python -m benchmarks.macro.client --help`` says how to run it.
"""
