"""The async face: the same desks; what goes through the combiner awaits its future, the rest a worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_THROUGH_COMBINER = "omo_through_combiner"


def through_combiner(method: F) -> F:
    """Mark a desk's method that ends in `Desk._do` and does nothing else that could block an event loop."""
    setattr(method, _THROUGH_COMBINER, True)
    return method


class AsyncDesk:
    """Wraps a hub or desk: attributes are wrapped desks, methods become coroutine functions with the same arguments.

    `placed = await hub.aio.orders.place(order)`. Thousands of tasks may wait for commands at once: they need no thread
    each. Cancelling a task takes its command back where its batch has not begun; otherwise repeat the command with the
    same key to learn its answer.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        handing_out = getattr(target, "_handing_out", None)
        self._submitting = handing_out() if handing_out else None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        wrapped = self._awaitable(name, found) if callable(found) else AsyncDesk(found)
        self.__dict__[name] = wrapped  # the next look-up does not come here
        return wrapped

    def __getitem__(self, name: str) -> AsyncDesk:
        return AsyncDesk(self._target[name])

    def _awaitable(self, name: str, method: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
        submit = getattr(self._submitting, name, None) if hasattr(method, _THROUGH_COMBINER) else None

        @wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            if submit is not None and kwargs.get("tx") is None:
                return await asyncio.wrap_future(submit(*args, **kwargs))
            return await asyncio.to_thread(method, *args, **kwargs)

        return call
