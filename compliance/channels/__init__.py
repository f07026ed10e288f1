"""A random test of `tornado.channels` against a model."""
