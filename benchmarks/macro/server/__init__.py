"""Measure the instructions, CPU time and memory of the HTTP server and of its peers.

``python -m benchmarks.macro.server --help`` shows the options.
"""
