"""The same ASGI applications on Waterspout, uvicorn and hypercorn: a table of outcomes.

``python -m compliance.asgi`` compares the outcomes with the table in README.md; ``--write`` writes the table.
"""
