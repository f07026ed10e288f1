"""The states of the supervisor and of a worker, as the supervisor sees it, and the transitions between them.

A state changes by ``self.state = self.state.to(State.NEXT)``, which checks the change against `TRANSITIONS`.
"""

from __future__ import annotations

import enum
from typing import TypeVar

from tornado._wire.errors import InvalidTransition

_Same = TypeVar("_Same", bound="_State")


class _State(enum.Enum):
    """The base of both enums."""

    def to(self, following: _Same) -> _Same:
        """Return the state that follows this one.

        :raises InvalidTransition: if the table does not contain the transition.
        """
        if following not in TRANSITIONS[self]:
            kind = type(self).__name__
            raise InvalidTransition(f"{kind}: {self.name} -> {following.name} is not allowed")
        return following


class WorkerState(_State):
    """The state of one worker process."""

    #: It has been forked: it loads the program and runs its start-up. Only the start timeout applies.
    STARTING = "starting"
    #: It accepts connections, and its event loop must beat.
    SERVING = "serving"
    #: Its event loop has been blocked, or its start has lasted, for too long. Its stacks are logged, and
    #: it has some time to end.
    HUNG = "hung"
    #: It has been told to drain, or does so because it received SIGTERM.
    DRAINING = "draining"
    #: It has received SIGKILL.
    KILLED = "killed"
    #: It has ended and has been reaped.
    EXITED = "exited"


class SupervisorState(_State):
    """The state of the supervisor."""

    #: The first workers start. If one of them fails, the supervisor ends.
    STARTING = "starting"
    #: All is well, or workers that have failed are being started again.
    SERVING = "serving"
    #: Workers are being replaced by new ones, one by one.
    RELOADING = "reloading"
    #: A trial run checks whether the new supervisor can start.
    UPGRADING = "upgrading"
    #: Workers drain. New workers are not started.
    STOPPING = "stopping"
    #: All workers have received SIGKILL.
    KILLING = "killing"
    #: No worker is left.
    ENDED = "ended"


_W, _S = WorkerState, SupervisorState

#: The states that may follow each state.
TRANSITIONS: dict[_State, frozenset[_State]] = {
    _W.STARTING: frozenset({_W.SERVING, _W.HUNG, _W.KILLED, _W.EXITED}),
    _W.SERVING: frozenset({_W.DRAINING, _W.HUNG, _W.KILLED, _W.EXITED}),
    _W.HUNG: frozenset({_W.KILLED, _W.EXITED}),
    _W.DRAINING: frozenset({_W.KILLED, _W.EXITED}),
    _W.KILLED: frozenset({_W.EXITED}),
    _W.EXITED: frozenset(),
    _S.STARTING: frozenset({_S.SERVING, _S.STOPPING, _S.KILLING}),
    _S.SERVING: frozenset({_S.RELOADING, _S.UPGRADING, _S.STOPPING, _S.KILLING}),
    _S.RELOADING: frozenset({_S.SERVING, _S.STOPPING, _S.KILLING}),
    _S.UPGRADING: frozenset({_S.SERVING, _S.STOPPING, _S.KILLING}),
    _S.STOPPING: frozenset({_S.KILLING, _S.ENDED}),
    _S.KILLING: frozenset({_S.ENDED}),
    _S.ENDED: frozenset(),
}

__all__ = ["TRANSITIONS", "SupervisorState", "WorkerState"]
