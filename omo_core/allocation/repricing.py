"""Re-pricing in the background: a thread that makes a router's prices anew as its orders come."""

from __future__ import annotations

from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from omo_core.allocation.futures import Futures
from omo_core.allocation.router import Router
from omo_core.model.errors import InvalidInput

LOOKS_EVERY_S: Final = 0.05
"""How long the thread sleeps before it counts the orders again."""


class Repricer:
    """Keeps a router's prices fresh; a context manager whose thread runs inside, or driven by hand with `step`."""

    def __init__(self, router: Router, futures: Futures, *, expected: int, every: int) -> None:
        """`expected` orders are to come from now on; prices are made after each `every` of them."""
        if expected < 1 or every < 1:
            raise InvalidInput(f"{expected} orders expected, prices every {every}: give at least 1 of each")
        self._router, self._futures = router, futures
        self._expected, self._every = expected, every
        self._first = router.decided
        self._priced_at = self._first - every
        self._stop = Event()
        self._thread: Thread | None = None
        self._failure: Exception | None = None

    def step(self) -> bool:
        """Make prices now if enough orders came since the last time; whether it did.

        Prices are made once at the start. When as many orders came as were expected, the last prices stay.
        """
        decided = self._router.decided
        passed = (decided - self._first) / self._expected
        if decided - self._priced_at < self._every or passed >= 1:
            return False
        self._priced_at = decided
        self._router.reprice(self._futures, passed)
        return True

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._run, name="repricer", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread; raises what stopped it before, unless something else is being raised."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def wait_until_stopped(self, seconds: float) -> bool:
        """Wait for the thread to end, which it does before it is told to only if it failed; whether it did."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self.step():
                    self._stop.wait(LOOKS_EVERY_S)
        except Exception as failure:  # noqa: BLE001 - raised again where the thread is awaited
            self._failure = failure
