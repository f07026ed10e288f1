"""web application的结构: URLSpec, initialize, reverse_url.

Differences from the program in the notes: added a db, imports and a server.
"""

import sys

from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, url

db = {"1": "once upon a time"}


class MainHandler(RequestHandler):
    def get(self):
        self.write('<a href="%s">link to story 1</a>' % self.reverse_url("story", "1"))


class StoryHandler(RequestHandler):
    def initialize(self, db):
        self.db = db

    def get(self, story_id):
        self.write("this is story %s" % story_id)
        if story_id in self.db:
            self.write(": " + self.db[story_id])


app = Application([
    url(r"/", MainHandler),
    url(r"/story/([0-9]+)", StoryHandler, dict(db=db), name="story"),
])  # fmt: skip

if __name__ == "__main__":
    app.listen(int(sys.argv[1]))
    IOLoop.current().start()
