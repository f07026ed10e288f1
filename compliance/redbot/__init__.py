"""REDbot, which lints responses, as a judge of what a sample application sends; see README.md."""
