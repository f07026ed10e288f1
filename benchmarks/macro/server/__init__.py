"""The HTTP server and its peers: instructions, CPU time, memory.

``python -m benchmarks.macro.server --help`` shows the options.
"""
