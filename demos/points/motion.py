"""Moves the points. With a broker, this program publishes their positions for all workers.

It ends when its standard input is closed, which is the end of the service.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys

from tornado.channels import History, Hub, PublishError, create_broker
from tornado.log import app_log

CHANNEL = "points"
GROUPS, POINTS_OF_A_GROUP = 30, 100
#: The number of seconds between two positions of a point.
INTERVAL = 0.2
#: Coordinates are between 0 and this number.
SIZE = 1000


def positions(group: int, time: float) -> list[int]:
    """Return x and y of each point of a group, one after the other."""
    turn = time / (9 + group % 7) + group
    x = SIZE * (0.5 + 0.38 * math.sin(turn))
    y = SIZE * (0.5 + 0.38 * math.sin(1.3 * turn + group / 4))
    found = []
    for point in range(POINTS_OF_A_GROUP):
        distance = 8 + 70 * math.sqrt(point / POINTS_OF_A_GROUP)
        angle = 2.4 * point + time * 40 / (20 + distance)
        found += [round(x + distance * math.cos(angle)), round(y + distance * math.sin(angle))]
    return [min(max(each, 0), SIZE) for each in found]


async def move(hub: Hub) -> None:
    """Publish the positions of all groups again and again, each group with its number as the key."""
    loop = asyncio.get_running_loop()
    begun, number = loop.time(), 0
    while True:
        time = number * INTERVAL
        try:
            await asyncio.gather(
                *[
                    hub.publish(CHANNEL, {"group": group, "at": positions(group, time)}, key=str(group))
                    for group in range(GROUPS)
                ]
            )
        except PublishError as error:
            app_log.warning("The points stand still: %s", error)
        number = max(number + 1, int((loop.time() - begun) / INTERVAL))
        await asyncio.sleep(begun + number * INTERVAL - loop.time())


async def main() -> None:
    """Move the points until the standard input is closed."""
    async with Hub(create_broker(os.environ["BROKER"]), history=History(count=60, age=5)) as hub:
        moving = asyncio.ensure_future(move(hub))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        moving.cancel()
        await asyncio.wait([moving])


if __name__ == "__main__":
    asyncio.run(main())
