"""Protocol implementations without I/O: they convert bytes to values, and values to bytes.

The modules do not use sockets, event loops or clocks. Times and random values are arguments.
"""
