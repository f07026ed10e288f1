"""Static files: small files, a large file, and the delay of other requests during a large download.

``python -m benchmarks.macro.static --help`` shows the options.
"""
