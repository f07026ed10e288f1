"""Masking of secrets in error pages: by name, by value, and by context in source code."""
