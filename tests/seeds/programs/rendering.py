"""tornado.template模板渲染.

Differences from the program in the notes: the route is a tuple; the commas are ASCII; os is imported; each
way of rendering has a separate route, because a response is finished only once; a template in a string is
generated and written, because render() takes the name of a file; the port comes from the command line instead
of 8080.
"""

import os
import sys

import tornado.ioloop
import tornado.template
import tornado.web


class WriteHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("行到水穷处，坐看云起时")


class StringHandler(tornado.web.RequestHandler):
    def get(self):
        self.write(tornado.template.Template("<h1>hello worrld</h1>").generate())


class FileHandler(tornado.web.RequestHandler):
    # 文件渲染
    def get(self):
        self.render("plain.html")


class MessageHandler(tornado.web.RequestHandler):
    # 传参的方式对文件渲染: 此方法需要hello.html中的某个变量为msg
    def get(self):
        self.render("hello.html", msg="欢迎登录系统")


class EscapeHandler(tornado.web.RequestHandler):
    # 转义: 默认转义; {% autoescape None %} 取消当前文件的转义
    def get(self, name):
        self.render(name + ".html", msg="<b>你好</b>")


class ForgottenHandler(tornado.web.RequestHandler):
    # 没有传参
    def get(self):
        self.render("hello.html")


if __name__ == "__main__":
    app = tornado.web.Application(
        [
            (r"/", WriteHandler),
            (r"/string", StringHandler),
            (r"/file", FileHandler),
            (r"/message", MessageHandler),
            (r"/forgotten", ForgottenHandler),
            (r"/(escaped|raw)", EscapeHandler),
        ],
        template_path=os.path.join(os.path.dirname(__file__), "templates"),
    )
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
