"""The corpus as data, a module a subject."""
