"""Output transforms and content codings."""
