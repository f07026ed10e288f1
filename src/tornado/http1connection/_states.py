"""The states of connections, exchanges and messages, and the transitions between them.

A state changes by ``self.state = self.state.to[State.NEXT]``, which checks the change against the table
`TRANSITIONS`; see `tornado._wire.state_machine`.
"""

from __future__ import annotations

from tornado._wire.state_machine import State, permit


class ConnectionState(State):
    """The state of a server's connection."""

    #: Requests are read and answered. There is at most one exchange at a time, and bytes of the next request
    #: wait in the reader.
    SERVING = 1
    #: The last response is being sent. The rest of the request body is discarded up to a limit, and reading
    #: stops after the body.
    CLOSING = 2
    #: The connection is half-closed. Input is discarded until the peer closes too, because closing earlier
    #: would reset the connection and the peer might lose the response.
    LINGERING = 3
    #: The stream has another owner.
    DETACHED = 4
    #: The stream is closed.
    CLOSED = 5


class PipelineState(State):
    """Whether a server's connection can begin its next request."""

    #: The next request begins when its head is complete and the current exchange has ended.
    READY = 1
    #: Requests are being begun, so the end of an exchange does not begin the next request itself.
    ADVANCING = 2
    #: The next request begins in the next event loop iteration.
    SCHEDULED = 3
    #: The next request waits until the peer has received output.
    WAITING_FOR_OUTPUT = 4


class ExchangeState(State):
    """The state of an exchange."""

    #: The request is being served or, on the client side, the response has not been read completely.
    OPEN = 1
    #: A response with the status 101 is complete; writes fail. The program may detach the stream during this
    #: event loop iteration.
    SWITCHING = 2
    #: The response is complete; writes fail.
    FINISHED = 3
    #: The connection was closed or rejected the request before the response was complete; writes fail.
    LOST = 4
    #: The stream has another owner; writes fail.
    DETACHED = 5


class InputState(State):
    """The state of the message that an exchange receives."""

    #: Whether no further part of the message is passed to the delegate.
    ended: bool

    #: The delegate receives the head.
    HEAD = 1
    #: The body is passed to the delegate.
    BODY = 2
    #: The delegate has received the whole message.
    COMPLETE = 3
    #: The delegate raised an exception at the end of the message.
    FAILED = 4
    #: The delegate does not receive the rest: the peer has disconnected, or the handler reads from the
    #: stream.
    RELEASED = 5


class OutputState(State):
    """The state of the message that an exchange sends."""

    #: Whether the message is complete.
    ended: bool

    #: No head has been sent. A program may send complete serialized messages in this state.
    IDLE = 1
    #: The head of an interim (1xx) response has been sent.
    INTERIM = 2
    #: The head has been sent, and the body follows.
    BODY = 3
    #: The message is complete.
    COMPLETE = 4
    #: A complete response could not be sent, because the connection had ended.
    UNSENT = 5


_CONNECTION, _PIPELINE, _EXCHANGE = ConnectionState, PipelineState, ExchangeState
_INPUT, _OUTPUT = InputState, OutputState

#: The states that may follow each state.
TRANSITIONS: dict[State, tuple[State, ...]] = {
    _CONNECTION.SERVING: (_CONNECTION.CLOSING, _CONNECTION.DETACHED, _CONNECTION.CLOSED),
    # `close` is called again after an error response, and for an exchange that ends while closing.
    _CONNECTION.CLOSING: (_CONNECTION.CLOSING, _CONNECTION.LINGERING, _CONNECTION.CLOSED),
    _CONNECTION.LINGERING: (_CONNECTION.CLOSED,),
    _CONNECTION.DETACHED: (),
    _CONNECTION.CLOSED: (),
    _PIPELINE.READY: (_PIPELINE.ADVANCING, _PIPELINE.SCHEDULED),
    _PIPELINE.ADVANCING: (_PIPELINE.READY, _PIPELINE.SCHEDULED, _PIPELINE.WAITING_FOR_OUTPUT),
    _PIPELINE.SCHEDULED: (_PIPELINE.READY,),
    _PIPELINE.WAITING_FOR_OUTPUT: (_PIPELINE.ADVANCING, _PIPELINE.SCHEDULED),
    _EXCHANGE.OPEN: (_EXCHANGE.SWITCHING, _EXCHANGE.FINISHED, _EXCHANGE.LOST, _EXCHANGE.DETACHED),
    _EXCHANGE.SWITCHING: (_EXCHANGE.FINISHED, _EXCHANGE.LOST, _EXCHANGE.DETACHED),
    # A client may call `read_response` again after it has read a response.
    _EXCHANGE.FINISHED: (_EXCHANGE.DETACHED, _EXCHANGE.OPEN),
    _EXCHANGE.LOST: (_EXCHANGE.DETACHED, _EXCHANGE.OPEN),
    _EXCHANGE.DETACHED: (),
    _INPUT.HEAD: (_INPUT.BODY, _INPUT.COMPLETE, _INPUT.RELEASED),
    _INPUT.BODY: (_INPUT.COMPLETE, _INPUT.RELEASED),
    _INPUT.COMPLETE: (_INPUT.FAILED,),
    _INPUT.FAILED: (_INPUT.RELEASED,),
    # A handler may begin to read from the stream after the last part of the body, before the message ends.
    _INPUT.RELEASED: (_INPUT.COMPLETE,),
    _OUTPUT.IDLE: (_OUTPUT.INTERIM, _OUTPUT.BODY, _OUTPUT.COMPLETE),
    _OUTPUT.INTERIM: (_OUTPUT.INTERIM, _OUTPUT.BODY, _OUTPUT.COMPLETE),
    # A program may call `write_headers` again to send several messages without framing by this package.
    _OUTPUT.BODY: (_OUTPUT.BODY, _OUTPUT.INTERIM, _OUTPUT.COMPLETE),
    _OUTPUT.COMPLETE: (),
    _OUTPUT.UNSENT: (),
}

permit(TRANSITIONS)
for _input in InputState:
    _input.ended = _input in (InputState.COMPLETE, InputState.RELEASED)
for _output in OutputState:
    _output.ended = _output in (OutputState.COMPLETE, OutputState.UNSENT)
