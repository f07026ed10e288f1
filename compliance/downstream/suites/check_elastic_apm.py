"""Test Elastic's APM agent in a Tornado application: its events for requests, bodies and errors."""

import elasticapm
from elasticapm.contrib.tornado import ElasticAPM
from elasticapm.transport.base import Transport

from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application, RequestHandler

SENT = []


class Recorder(Transport):
    """A transport that stores its events."""

    async_mode = False

    def queue(self, event_type, data, flush=False):
        SENT.append((event_type, data))

    def start_thread(self, pid=None):
        """Do not start the thread that would send the events."""


class Main(RequestHandler):
    def get(self):
        with elasticapm.capture_span("work"):
            self.write("ok")

    async def post(self):
        self.set_status(201)
        self.write(self.request.body)


class Broken(RequestHandler):
    def get(self):
        raise ValueError("broken")


class ElasticTest(AsyncHTTPTestCase):
    def get_app(self):
        SENT.clear()
        application = Application([("/", Main), ("/broken", Broken)])
        application.settings["ELASTIC_APM"] = {
            "SERVICE_NAME": "check",
            "TRANSPORT_CLASS": f"{__name__}.Recorder",
            "CAPTURE_BODY": "all",
            "METRICS_INTERVAL": "0ms",
            "CENTRAL_CONFIG": "false",
            "CLOUD_PROVIDER": "none",
        }
        self.agent = ElasticAPM(application)
        return application

    def tearDown(self):
        elasticapm.uninstrument()
        self.agent.client.close()
        super().tearDown()

    def events(self, kind):
        return [data for event, data in SENT if event == kind]

    def test_transaction_and_span(self):
        assert self.fetch("/").code == 200
        (transaction,) = self.events("transaction")
        assert (transaction["name"], transaction["result"]) == ("GET Main", "HTTP 2xx")
        sent = transaction["context"]["request"]["headers"]
        assert {name.lower(): value for name, value in sent.items()}["user-agent"].startswith("Tornado/")
        assert "work" in [span["name"] for span in self.events("span")]

    def test_body_is_captured(self):
        assert self.fetch("/", method="POST", body="a=1").code == 201
        (transaction,) = self.events("transaction")
        assert "a" in str(transaction["context"]["request"]["body"])
        assert transaction["context"]["response"]["status_code"] == 201

    def test_error(self):
        assert self.fetch("/broken").code == 500
        (error,) = self.events("error")
        assert error["exception"]["message"] == "ValueError: broken"
        assert self.events("transaction")[0]["result"] == "HTTP 5xx"
