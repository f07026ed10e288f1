"""留言板: one message, in MySQL.

Differences from the program in the notes: tornado.ioloop is imported; values are bound to parameters, because
a quote in a message would end the SQL string; UPDATE has a WHERE clause, without which it changes every row;
the character set is utf8mb4, because utf8 does not support emoji; added the template; the port and the
database come from the command line, and the program can be started in any directory.
"""

import os
import sys

from aiomysql import create_pool

import tornado.ioloop
from tornado import web


class IndexHandler(web.RequestHandler):
    def initialize(self, db):
        self.db = db

    async def get(self, *args, **kwargs):
        id = ""
        name = ""
        email = ""
        address = ""
        message = ""
        async with create_pool(
            host=self.db["host"],
            port=self.db["port"],
            user=self.db["user"],
            password=self.db["password"],
            db=self.db["name"],
            charset="utf8mb4",
        ) as pool:
            async with pool.acquire() as conn:
                async with conn.cursor() as cur:
                    await cur.execute("SELECT id, name, email, address, message from tb_message")
                    try:
                        id, name, email, address, message = await cur.fetchone()
                    except Exception:
                        pass
        self.render("message.html", id=id, email=email, name=name, address=address, message=message)

    async def post(self, *args, **kwargs):
        id = self.get_body_argument("id", "")
        name = self.get_body_argument("name", "")
        email = self.get_body_argument("email", "")
        address = self.get_body_argument("address", "")
        message = self.get_body_argument("message", "")

        async with create_pool(
            host=self.db["host"],
            port=self.db["port"],
            user=self.db["user"],
            password=self.db["password"],
            db=self.db["name"],
            charset="utf8mb4",
        ) as pool:
            async with pool.acquire() as conn:
                async with conn.cursor() as cur:
                    if not id:
                        await cur.execute(
                            "INSERT INTO tb_message(name, email, address, message) VALUES(%s,%s,%s,%s)",
                            (name, email, address, message),
                        )
                    else:
                        await cur.execute(
                            "update tb_message set name=%s, email=%s, address=%s, message=%s where id=%s",
                            (name, email, address, message, id),
                        )
                    await conn.commit()
        self.redirect(self.reverse_url("index"))


here = os.path.dirname(__file__)
settings = {
    "static_path": os.path.join(here, "static"),
    "static_url_prefix": "/static/",
    "template_path": os.path.join(here, "templates"),
    "db": {
        "host": "127.0.0.1",
        "user": "root",
        "password": "",
        "name": "message",
        "port": 3306,
    },
}
if __name__ == "__main__":
    settings["db"].update(port=int(sys.argv[2]), user=sys.argv[3], password=sys.argv[4], name=sys.argv[5])
    app = web.Application(
        [
            web.URLSpec("/", IndexHandler, {"db": settings["db"]}, name="index"),
        ],
        debug=True,
        **settings,
    )
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
