"""Callers that wait are woken by other processes."""

from __future__ import annotations

import asyncio
import threading
import time

import redis

from docfleet.backend.platform import waiting
from docfleet.backend.platform.waiting import WaitingCallers


def test_an_end_in_another_process_wakes_the_waiter(redis_at_socket: str, redis_client: redis.Redis) -> None:
    async def scenario() -> tuple[bool, float]:
        here = WaitingCallers()
        here.start()
        following = asyncio.create_task(here.follow(redis_at_socket))
        while not redis_client.pubsub_numpat():
            await asyncio.sleep(0.01)
        with here.listen("e1") as event:
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.05, redis_client.publish, waiting.channel("e1"), "1")
            done = await here.until_final(event, 30, _never, asyncio.sleep(60))
            taken = time.monotonic() - began
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return done, taken

    async def _never() -> bool:
        return False

    done, taken = asyncio.run(scenario())
    assert done and taken < 20  # without the wake it is the 30 s of the wait


def test_a_waiter_looks_at_the_row_and_notices_who_went_away() -> None:
    async def scenario() -> None:
        here = WaitingCallers()
        here.start()
        looks = iter([False, True])

        async def is_final() -> bool:
            return next(looks)

        async def never() -> bool:
            return False

        with here.listen("e") as event:
            assert await here.until_final(event, 30, is_final, asyncio.sleep(60), poll_seconds=0.02)
            assert not await here.until_final(event, 30, never, asyncio.sleep(0))
            assert await here.until_final(event, 0.05, never, asyncio.sleep(60))
            threading.Thread(target=here.signal, args=("e",)).start()
            assert await here.until_final(event, 30, never, asyncio.sleep(60)) and event.is_set()
        here.stop()
        here.signal("e")

    asyncio.run(scenario())
