"""The async face: the same desks, each call awaited in a worker thread; the blocking methods are the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any


class AsyncDesk:
    """Wraps a hub or desk: attributes are wrapped desks, methods become coroutine functions with the same arguments.

    `placed = await hub.aio.orders.place(order)`. Cancelling the awaiting task does not stop work already begun:
    repeat the command with the same key to learn its answer.
    """

    def __init__(self, target: object) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        return _awaitable(found) if callable(found) else AsyncDesk(found)

    def __getitem__(self, name: str) -> AsyncDesk:
        return AsyncDesk(self._target[name])  # type: ignore[index]


def _awaitable(method: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(method, *args, **kwargs)

    return call
