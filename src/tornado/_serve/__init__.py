"""The command ``python -m tornado``, which serves programs in production.

The package is at the edge: only ``__main__`` and `tornado.web.run` import it.
"""
