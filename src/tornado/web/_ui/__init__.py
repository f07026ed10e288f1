"""Rendering of templates and UI modules."""
