"""Checks of platforms that this machine is not: macOS and Windows, emulated in separate processes."""
