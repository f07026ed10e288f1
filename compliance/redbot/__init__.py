"""REDbot, a linter for HTTP responses, applied to a sample application; see README.md."""
