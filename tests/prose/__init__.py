"""The check of the project's prose, and its tests."""
