"""The application of the administration."""

from __future__ import annotations

import os
import sys

from tornado._serve.admin import api, handlers
from tornado._serve.admin.access import Access
from tornado._serve.admin.collector import Collector
from tornado.web import Application, SecurityHeaders

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["make_application"]

_HERE = os.path.dirname(os.path.abspath(__file__))
#: The page needs nothing from another origin, and has no inline script or style.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)


def make_application(collector: Collector, access: Access) -> Application:
    """Return the application.

    :param collector: the state of the service.
    :param access: the rules of access.
    """
    arguments = {"collector": collector, "access": access}
    return Application(
        [
            (r"/", api.Dashboard, arguments),
            (r"/login", handlers.Login, arguments),
            (r"/logout", handlers.Logout, arguments),
            (r"/livez", handlers.Live, arguments),
            (r"/readyz", handlers.Ready, arguments),
            (r"/metrics", api.Metrics, arguments),
            (r"/events", api.Events, arguments),
            (r"/api/status", api.Status, arguments),
            (r"/api/requests", api.Requests, arguments),
            (r"/api/requests/([^/]+)/log", api.RequestLog, arguments),
            (r"/api/errors", api.Errors, arguments),
            (r"/api/end", api.End, arguments),
            (r"/api/(reload|drain|scale)", api.Action, arguments),
            (r"/api/(restart)/([0-9]{1,4})", api.Action, arguments),
        ],
        template_path=os.path.join(_HERE, "templates"),
        static_path=os.path.join(_HERE, "static"),
        cookie_secret=access.cookie_secret,
        allowed_hosts=access.hosts,
        xsrf_cookies=True,
        xsrf_cookie_name="waterspout_admin_xsrf",
        xsrf_cookie_kwargs={"samesite": "Strict"},
        cross_origin_protection=True,
        security_headers=SecurityHeaders(
            content_security_policy=_POLICY,
            frame_ancestors="'none'",
            referrer_policy="no-referrer",
            resource_policy="same-origin",
        ),
        # The log is that of the program, and the page asks each second.
        log_function=_log_nothing,
    )


def _log_nothing(handler: object) -> None:
    pass
