"""Attacks on a server, and their effect on a well-behaved client; see README.md."""
