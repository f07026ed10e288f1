"""重定向, StaticFileHandler, RedirectHandler.

The notes describe it without a program:
RequestHandler.redirect用于RequestHandler中，RedirectHandler用于直接在路由表中配置重定向.
"""

import os
import sys

import tornado.ioloop
from tornado import web


class MovedHandler(web.RequestHandler):
    def get(self, how):
        # 301永久，302临时
        if how == "for-ever":
            self.redirect("/static/note.txt", permanent=True)
        elif how == "other":
            self.redirect("/static/note.txt", status=307)
        else:
            self.redirect("../static/note.txt")


settings = {
    "static_path": os.path.join(os.path.dirname(__file__), "static"),
    "static_url_prefix": "/static/",
}

if __name__ == "__main__":
    app = web.Application(
        [
            (r"/moved/(.*)", MovedHandler),
            (r"/old", web.RedirectHandler, {"url": "/static/note.txt"}),
            (r"/pictures/(.*)", web.RedirectHandler, {"url": "/static/{0}", "permanent": False}),
            (r"/files/(.*)", web.StaticFileHandler, {"path": settings["static_path"]}),
        ],
        **settings,
    )
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
