"""Applications: settings, routes and the dispatch of requests to handlers."""
