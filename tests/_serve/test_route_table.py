from __future__ import annotations

import json
import re

from tornado._serve.route_table import RouteRow, format_json, format_table, routes_of
from tornado.routing import AnyMatches, HostMatches, Matcher, Rule, RuleRouter
from tornado.web import Application, RequestHandler, StaticFileHandler, url
from tornado.websocket import WebSocketHandler


class Item(RequestHandler):
    def get(self, number=None):
        pass

    async def delete(self, number=None):
        pass


class Child(Item):
    def post(self, number=None):
        pass


class Socket(WebSocketHandler):
    pass


class Odd(Matcher):
    def __repr__(self):
        return "Odd()"


def function(request):
    pass


def test_routes_in_the_order_in_which_they_are_tried():
    application = Application(
        [
            url(r"/item/([0-9]+)", Item, name="item"),
            (r"/child/(.*)$", Child),
            (r"/socket", Socket),
            (re.compile("/part"), function),
            (r"/nested/.*", [(r"/nested/a", Item), (r"/nested/b", RuleRouter([("/c", function)]))]),
            (Odd(), Child),
        ],
        default_host="a.example",
    )
    application.add_handlers(r"b\.example", [("/b", Item)])
    here = __name__
    assert routes_of(application) == [
        RouteRow("", r"host b\.example /b", f"{here}.Item", ("GET", "DELETE")),
        RouteRow("item", "/item/([0-9]+)", f"{here}.Item", ("GET", "DELETE")),
        RouteRow("", "/child/(.*)", f"{here}.Child", ("GET", "POST", "DELETE")),
        RouteRow("", "/socket", f"{here}.Socket", ("WEBSOCKET",)),
        RouteRow("", "/part", f"{here}.function", ()),
        RouteRow("", "/nested/.* /nested/a", f"{here}.Item", ("GET", "DELETE")),
        RouteRow("", "/nested/.* /nested/b /c", f"{here}.function", ()),
        RouteRow("", "Odd()", f"{here}.Child", ("GET", "POST", "DELETE")),
    ]


def test_applications_as_targets_and_routes_for_any_request():
    inner = Application([("/", Item)])
    router = RuleRouter([Rule(HostMatches("x"), inner), Rule(AnyMatches(), object())])
    assert routes_of(router) == [
        RouteRow("", "host x /", f"{__name__}.Item", ("GET", "DELETE")),
        RouteRow("", "(any)", "builtins.object", ()),
    ]


def test_static_files():
    [first, *_] = routes_of(Application(static_path="/srv"))
    assert (first.pattern, first.methods) == (r"/static/(.*)", ("GET", "HEAD"))
    assert first.handler == f"{StaticFileHandler.__module__}.StaticFileHandler"


def test_wsgi_application_has_no_routes():
    assert routes_of(lambda environ, start_response: []) == []
    assert format_table([]) == "NAME  PATTERN  HANDLER  METHODS\n"
    assert format_json([]) == "[]\n"


def test_columns_are_aligned():
    routes = [RouteRow("long name", "/", "a.B", ("GET",)), RouteRow("", "/pattern", "a.function", ())]
    assert format_table(routes).splitlines() == [
        "NAME       PATTERN   HANDLER     METHODS",
        "long name  /         a.B         GET",
        "-          /pattern  a.function  -",
    ]


def test_json():
    found = json.loads(format_json([RouteRow("ä", "/", "a.B", ("GET", "HEAD"))]))
    assert found == [{"name": "ä", "pattern": "/", "handler": "a.B", "methods": ["GET", "HEAD"]}]
