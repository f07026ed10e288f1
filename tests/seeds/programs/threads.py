"""线程和WSGI: run_in_executor, add_callback; Future对象. The notes name them; this program calls them."""

import threading
import time

from tornado.concurrent import Future
from tornado.ioloop import IOLoop


def blocking(seconds):
    time.sleep(seconds)
    return threading.current_thread() is threading.main_thread()


async def main():
    loop = IOLoop.current()
    # 在另一个线程上异步运行阻塞函数
    slow = loop.run_in_executor(None, blocking, 0.01)
    print("meanwhile", not slow.done())
    print("in the main thread", await slow)
    # 唯一可以安全地从其他线程调用的方法
    future = Future()
    thread = threading.Thread(target=lambda: loop.add_callback(future.set_result, "from a thread"))
    thread.start()
    print(await future)
    thread.join()


IOLoop.current().run_sync(main)
