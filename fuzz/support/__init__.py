"""Shared parts of the targets: choices based on the input, a grammar of messages, parsers for comparison."""
