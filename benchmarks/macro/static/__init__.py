"""Static files, ours beside upstream's: small ones, a large one, and who has to wait for it.

``python -m benchmarks.macro.static --help`` says how to run it.
"""
