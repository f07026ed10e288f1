"""Fault injection: failing system calls, lost packets, resets at every point; see README.md."""
