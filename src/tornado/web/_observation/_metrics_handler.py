"""`MetricsHandler`: the metrics of an application for Prometheus."""

from __future__ import annotations

from tornado._public_module_names import export
from tornado.web._handler import RequestHandler
from tornado.web._observation._prometheus import CONTENT_TYPE, metrics_text
from tornado.web._observation._snapshot import take_snapshot


class MetricsHandler(RequestHandler):
    """Responds with the metrics of its application in the text format of Prometheus.

    ::

        application = Application([(r"/metrics", MetricsHandler)], metrics=True)

    The metrics show the routes and the load, so the route should not be reachable from the internet. They are
    those of the process that serves the request. The package prometheus-client is required (the extra
    ``metrics``).
    """

    def get(self) -> None:
        """Respond with the metrics.

        :raises RuntimeError: if the application is not observed.
        """
        observer = self.application.observer
        if observer is None:
            raise RuntimeError(
                "MetricsHandler requires a setting of the application: Application(routes, metrics=True)"
            )
        self.set_header("Content-Type", CONTENT_TYPE)
        self.write(metrics_text([take_snapshot(observer)]))


__all__ = ["MetricsHandler"]

export(globals(), module="tornado.web")
