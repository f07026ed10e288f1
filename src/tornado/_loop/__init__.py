"""Services of the event loop that several layers use, each once: deadlines, batches and tasks."""
