"""The input of a handler: arguments, JSON bodies and uploads."""
