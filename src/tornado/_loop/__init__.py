"""Services of the event loop that several layers share: deadlines, batches and tasks."""
