"""Measure the CPU time and peak memory of Waterspout and Tornado for large request bodies.

``python -m benchmarks.macro.bodies --help`` shows the options.
"""
