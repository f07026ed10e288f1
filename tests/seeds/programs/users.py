"""User authentication: get_current_user, @authenticated, login_url, xsrf, write_error.

The notes describe it without a program:
一般先定义一个BaseHandler继承RequestHandler，覆盖像get_current_user和write_error这样的方法,
然后再定义其他Handler. 这里按此写成一个程序.
"""

import os
import sys

import tornado.escape
import tornado.ioloop
import tornado.web


class BaseHandler(tornado.web.RequestHandler):
    def get_current_user(self):
        return self.get_secure_cookie("user")

    def write_error(self, status_code, **kwargs):
        self.write("自己的错误页面: %d" % status_code)

    def set_default_headers(self):
        self.set_header("Server", "seeds")


class MainHandler(BaseHandler):
    @tornado.web.authenticated
    def get(self):
        # 在模板中使用current_user获取
        self.render("user.html")

    @tornado.web.authenticated
    def post(self):
        self.write("only for " + tornado.escape.to_unicode(self.current_user))


class LoginHandler(BaseHandler):
    def get(self):
        self.render("login.html", next=self.get_argument("next", "/"))

    def post(self):
        self.set_secure_cookie("user", self.get_argument("name"))
        self.redirect(self.get_argument("next", "/"))


class LogoutHandler(BaseHandler):
    def post(self):
        self.clear_cookie("user")
        self.redirect("/login")


class BrokenHandler(BaseHandler):
    def get(self):
        raise RuntimeError("not shown to anybody")


if __name__ == "__main__":
    app = tornado.web.Application(
        [
            (r"/", MainHandler),
            (r"/login", LoginHandler),
            (r"/logout", LogoutHandler),
            (r"/broken", BrokenHandler),
        ],
        cookie_secret="__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__",
        login_url="/login",
        xsrf_cookies=True,
        template_path=os.path.join(os.path.dirname(__file__), "templates"),
    )
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
