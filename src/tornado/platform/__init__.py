"""Bridges to other event loops and libraries: `tornado.platform.asyncio` and optional ones."""
