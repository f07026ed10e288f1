"""The execution of a request handler, and its response."""
