"""Observation of an application: request identifiers, access logs, metrics and traces.

An `Observer` is created from the settings and attached to the application. An application without one has no
additional work per request.
"""
