"""Attack a server, and measure the effect on a well-behaved client; see README.md."""
