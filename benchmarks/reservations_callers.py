"""Callers that ask, wait for the answer and ask again; what they saw is one round's facts."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from benchmarks.reservations_workloads import Request
from omo_core.model.stock import StockAnswer

Reserve = Callable[[Request], bool]
"""Reserve one unit, durably: True where it is the caller's, False where there was none."""

Submit = Callable[[Request], Future[StockAnswer]]


@dataclass
class Seen:
    """Waits of all callers, and how many of them got what they asked for."""

    waits_s: list[float] = field(default_factory=list)
    granted: int = 0
    seconds: float = 0.0

    def facts(self, commits: int) -> dict[str, Any]:
        """For a run's record: requests and commits per second, waits of the median caller, of one in 100, the worst."""
        waits = sorted(self.waits_s)
        return {
            "seconds": self.seconds,
            "requests": len(waits),
            "granted": self.granted,
            "throughput_s": len(waits) / self.seconds,
            "p50_ms": 1e3 * percentile(waits, 0.5),
            "p99_ms": 1e3 * percentile(waits, 0.99),
            "worst_ms": 1e3 * waits[-1],
            "commits": commits,
            "mean_batch": len(waits) / max(commits, 1),
        }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the ordered values that at least `share` of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def by_connections(works: Sequence[Reserve], requests: Iterator[Request], callers: int, seconds: float) -> Seen:
    """`callers` share `works`, each a connection with a thread of its own; who finds none free queues for one.

    A wait begins when the caller asks, so it includes the queue. No caller asks after `seconds`, or when `requests`
    end, but who has asked is answered.
    """
    queue: SimpleQueue[tuple[float, Request] | None] = SimpleQueue()
    seen, guard = Seen(), threading.Lock()
    start = time.perf_counter()
    waiting = _ask_first(requests, callers, lambda request: queue.put((start, request)))

    def serve(reserve: Reserve) -> None:
        nonlocal waiting
        try:
            while waiting and (asked := queue.get()) is not None:
                since, request = asked
                granted = reserve(request)
                now = time.perf_counter()
                with guard:
                    seen.waits_s.append(now - since)
                    seen.granted += granted
                    following = next(requests, None) if now - start < seconds else None
                    if following is None:
                        waiting -= 1
                        seen.seconds = now - start
                if following is not None:
                    queue.put((now, following))
        finally:
            # Nobody asks any more, or this connection failed: the others must not wait for ever.
            for _ in works:
                queue.put(None)

    with ThreadPoolExecutor(len(works)) as threads:
        for served in [threads.submit(serve, work) for work in works]:
            served.result()
    return seen


def by_futures(submit: Submit, requests: Iterator[Request], callers: int, seconds: float) -> Seen:
    """`callers` on one event loop, as in an asyncio service: each submits, and again once its future is done.

    The same rules as `by_connections`; a wait ends when the loop comes to the answer, not when it was given.
    """
    done: SimpleQueue[tuple[float, Future[StockAnswer]]] = SimpleQueue()
    seen = Seen()

    def ask(since: float, request: Request) -> None:
        submit(request).add_done_callback(lambda future: done.put((since, future)))

    start = time.perf_counter()
    waiting = _ask_first(requests, callers, lambda request: ask(start, request))
    now = start
    while waiting:
        since, future = done.get()
        now = time.perf_counter()
        seen.waits_s.append(now - since)
        seen.granted += future.result().applied
        following = next(requests, None) if now - start < seconds else None
        if following is None:
            waiting -= 1
        else:
            ask(now, following)
    seen.seconds = now - start
    return seen


def _ask_first(requests: Iterator[Request], callers: int, ask: Callable[[Request], None]) -> int:
    """The first question of every caller; returns how many had one."""
    asked = 0
    for asked, request in zip(range(1, callers + 1), requests, strict=False):  # noqa: B007
        ask(request)
    return asked
