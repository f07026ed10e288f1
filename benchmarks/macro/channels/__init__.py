"""One message through Redis to many WebSockets, with several libraries."""
