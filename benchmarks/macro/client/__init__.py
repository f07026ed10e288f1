"""HTTP clients: persistent and new connections, small and large bodies, memory of idle connections.

``python -m benchmarks.macro.client --help`` shows the options.
"""
