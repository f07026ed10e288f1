"""IOLoop的方法, Future对象. The notes list them; this program calls them and prints what happens."""

from tornado.concurrent import Future
from tornado.ioloop import IOLoop

# configurable_default(): 根据不同的操作系统返回不同的事件池
print("default", IOLoop.configurable_default().__name__)

# IOLoop.current(instance=True): 返回当前线程的IOLoop
print("none yet", IOLoop.current(instance=False))
loop = IOLoop()
print("current", IOLoop.current() is loop is IOLoop.current(instance=False))

# IOLoop.clear_current(): 在当前线程中清除IOLoop; make_current(): 绑定这个IOLoop
IOLoop.clear_current()
print("cleared", IOLoop.current(instance=False) is loop)
loop.make_current()
print("again", IOLoop.current() is loop)

# Future对象: 异步操作完成后, 遍历并运行_callbacks中的回调函数
future = Future()
future.add_done_callback(lambda done: print("result", done.result()))
loop.add_future(future, lambda done: print("result in the loop", done.result()))
loop.add_callback(future.set_result, 42)
loop.call_later(0.01, loop.stop)

# IOLoop.start()启动当前IOLoop, IOLoop.stop()停止当前IOLoop
loop.start()
print("stopped", future.done())

# IOLoop.close(all_fds=False): 关闭IOLoop，释放所有使用的资源
loop.close(all_fds=True)
print("closed", loop.asyncio_loop.is_closed())
