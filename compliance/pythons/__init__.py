"""Interpreters of all supported versions, and the tests on each; README.md describes the commands."""
