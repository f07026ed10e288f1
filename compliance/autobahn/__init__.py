"""Autobahn's WebSocket test cases for an echo server and an echo client; see README.md."""
