"""What attackers do to a server, with a well-behaved client beside them; README.md tells how to run it."""
