"""The administration of a service: metrics, health checks, control, and the dashboard.

They are served by a process of their own, which does not load the program, so neither the supervisor nor the
workers serve requests for it. The process asks the supervisor, which passes questions on to the workers.
"""
