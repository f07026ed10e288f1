"""Integration with asyncio and, optionally, with other event loops and libraries."""
