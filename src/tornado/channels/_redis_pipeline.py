"""A connection on which scripts are executed without waiting for the results of the previous ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

#: The keys and the arguments of one call of a script.
Call: TypeAlias = tuple[Sequence[bytes], Sequence[bytes]]


class RedisPipeline:
    """Executes calls of one script on a connection of its own.

    One method call at a time is permitted.

    :param connect: returns a new connection of redis-py, which is not connected yet.
    :param exceptions: the module ``redis.exceptions``.
    :param script: the script in Lua.
    """

    def __init__(self, connect: Callable[[], Any], exceptions: Any, script: str) -> None:
        self._connect = connect
        self._exceptions = exceptions
        self._script = script.encode()
        self._digest = hashlib.sha1(self._script, usedforsecurity=False).hexdigest().encode()
        self._connection: Any = None
        self._is_closed = False

    async def close(self) -> None:
        """Close the connection, and do not open another one."""
        self._is_closed = True
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def execute(self, calls: Sequence[Call]) -> list[Any]:
        """Execute calls in their order. Return the result of each, or the error that Redis has reported.

        A connection that was closed while it was not used is replaced, and the calls are repeated once: the
        script must permit this.

        :raises redis.RedisError: or `OSError`, if the connection is lost.
        """
        if self._connection is not None:
            try:
                return await self._execute(calls)
            except (self._exceptions.ConnectionError, OSError):
                pass
        if self._is_closed:
            raise self._exceptions.ConnectionError("the connection was closed")
        connection = self._connect()
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._connection = connection
        return await self._execute(calls)

    async def _execute(self, calls: Sequence[Call]) -> list[Any]:
        connection = self._connection
        try:
            results = await self._exchange(
                connection, [_pack(b"EVALSHA", self._digest, *each) for each in calls]
            )
            unknown = [
                index
                for index, result in enumerate(results)
                if isinstance(result, self._exceptions.NoScriptError)
            ]
            if unknown:
                packed = [_pack(b"EVAL", self._script, *calls[index]) for index in unknown]
                for index, result in zip(unknown, await self._exchange(connection, packed), strict=True):
                    results[index] = result
        except BaseException:
            await self._disconnect()  # results of this call may still arrive
            raise
        if any(isinstance(result, Exception) for result in results):
            await self._disconnect()  # the server may have become a replica
        return results

    async def _exchange(self, connection: Any, commands: Sequence[bytes]) -> list[Any]:
        await connection.send_packed_command(b"".join(commands), check_health=False)
        results: list[Any] = []
        for _ in commands:
            try:
                results.append(await connection.read_response(disable_decoding=True))
            except self._exceptions.ResponseError as error:
                results.append(error)
        return results


def _pack(command: bytes, script: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> bytes:
    parts = [command, script, b"%d" % len(keys), *keys, *arguments]
    return b"".join([b"*%d\r\n" % len(parts), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]])


__all__ = ["Call", "RedisPipeline"]
