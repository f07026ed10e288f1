"""Large request bodies, ours beside upstream's: CPU seconds of the server and its peak memory.

``python -m benchmarks.macro.bodies --help`` says how to run it.
"""
