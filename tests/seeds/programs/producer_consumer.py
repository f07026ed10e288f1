"""Queue: 为协同程序实现了一个异步生产者/消费者模式. The notes name this pattern; this program shows it."""

from tornado import gen
from tornado.ioloop import IOLoop
from tornado.queues import Queue

q = Queue(maxsize=2)


@gen.coroutine
def consumer():
    while True:
        item = yield q.get()
        try:
            print("doing work on %s" % item)
            yield gen.sleep(0.001)
        finally:
            q.task_done()


@gen.coroutine
def producer():
    for item in range(5):
        yield q.put(item)
        print("put %s" % item)


@gen.coroutine
def main():
    IOLoop.current().spawn_callback(consumer)
    yield producer()
    yield q.join()
    print("done")


IOLoop.current().run_sync(main)
