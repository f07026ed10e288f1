"""Autobahn's test cases for WebSockets, against an echo server and an echo client; README.md tells how."""
