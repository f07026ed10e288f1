"""RequestHandler.request属性和方法, as JSON. The notes list them; this program shows them."""

import sys

from tornado.escape import to_unicode
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler


class ShowHandler(RequestHandler):
    def get(self):
        request = self.request
        self.write({
            "method": request.method,
            "uri": request.uri,
            "path": request.path,
            "query": request.query,
            "version": request.version,
            "headers": dict(request.headers.get_all()),
            "body": to_unicode(request.body),
            "remote_ip": request.remote_ip,
            "protocol": request.protocol,
            "host": request.host,
            "arguments": texts(request.arguments),
            "query_arguments": texts(request.query_arguments),
            "body_arguments": texts(request.body_arguments),
            "files": {name: [each.filename for each in files] for name, files in request.files.items()},
            "cookies": {name: morsel.value for name, morsel in request.cookies.items()},
            "same_cookies": self.cookies is request.cookies,
            "full_url": request.full_url(),
            "request_time": request.request_time(),
            "certificate": request.get_ssl_certificate(),
            "connection": type(request.connection).__name__,
        })  # fmt: skip

    post = get


def texts(arguments):
    return {name: [to_unicode(value) for value in values] for name, values in arguments.items()}


if __name__ == "__main__":
    Application([("/get", ShowHandler)]).listen(int(sys.argv[1]))
    IOLoop.current().start()
