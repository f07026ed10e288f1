"""Measure small and large static files, and the delay of other requests during a large download.

``python -m benchmarks.macro.static --help`` shows the options.
"""
