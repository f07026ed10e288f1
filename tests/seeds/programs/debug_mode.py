"""Debug模式: autoreload, compiled_template_cache, static_hash_cache, serve_traceback.

The notes describe it without a program. The directory of templates and static files comes from the command
line.
"""

import sys

import tornado.ioloop
import tornado.web


class PageHandler(tornado.web.RequestHandler):
    def get(self):
        self.render("page.html")


class BrokenHandler(tornado.web.RequestHandler):
    def get(self):
        self.secret_of_this_page()


if __name__ == "__main__":
    app = tornado.web.Application(
        [("/", PageHandler), ("/broken", BrokenHandler)],
        debug=True,
        template_path=sys.argv[2],
        static_path=sys.argv[2],
    )
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
