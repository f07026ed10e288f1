"""``platform.interface.Waker``: the interface of an object that wakes an event loop."""

from __future__ import annotations

__all__ = ["Waker"]


class Waker:
    """The interface of an object that wakes an event loop from another thread.

    The loop watches `fileno` for reading and calls `consume` when it is readable.
    """

    def fileno(self) -> int:
        """Return the file descriptor that is readable after `wake`."""
        raise NotImplementedError

    def write_fileno(self) -> int:
        """Return the file descriptor that `wake` writes to."""
        raise NotImplementedError

    def wake(self) -> None:
        """Make `fileno` readable. This method may be called from any thread."""
        raise NotImplementedError

    def consume(self) -> None:
        """Make `fileno` unreadable until the next `wake`."""
        raise NotImplementedError

    def close(self) -> None:
        """Close both file descriptors. This method must not be called more than once."""
        raise NotImplementedError
