"""The command ``python -m tornado``, and what serves a program in production.

The package is at the edge: only ``__main__`` and `tornado.web.run` import it.
"""
