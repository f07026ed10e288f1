"""Helpers shared by several tests: certificates, clocks, programs, browsers, streams and feeders."""
