"""Large request bodies: CPU time and peak memory of Waterspout and Tornado.

``python -m benchmarks.macro.bodies --help`` shows the options.
"""
