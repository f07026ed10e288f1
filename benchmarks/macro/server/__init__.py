"""The HTTP server against its peers: instructions, CPU time, memory.

``python -m benchmarks.macro.server --help`` says how to run it.
"""
