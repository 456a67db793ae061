"""The simulated service's process: it takes a batch of commands to the pool, by itself or through the combiner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from omo_core.inventory.combiner import Combiner
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.database import Database
from omo_core.storage.transaction import Transaction

Apply = Callable[[Transaction, Sequence[StockCommand]], list[StockAnswer]]
Outcome = StockAnswer | BaseException

_PATIENCE_S: Final = 60


class Service(Protocol):
    """A process that applies batches until it dies or is closed."""

    def serve(self, pool: str, commands: Sequence[StockCommand], apply: Apply) -> list[Outcome]:
        """What each caller gets: the answer, or what was raised."""

    def close(self) -> None:
        """End what the process started; the database is not its own."""


class Direct:
    """Each batch is one transaction of the caller's."""

    def __init__(self, database: Database, arm: Callable[[], None]) -> None:
        self._database = database
        self._arm = arm

    def serve(self, pool: str, commands: Sequence[StockCommand], apply: Apply) -> list[Outcome]:
        """One transaction; where it fails, everyone gets the same exception."""
        self._arm()
        try:
            return list(self._database.run(pool, lambda tx: apply(tx, commands)))
        except BaseException as error:  # noqa: BLE001  also the death of the process
            return [error] * len(commands)

    def close(self) -> None:
        """Nothing was started."""


class Combined:
    """Callers' commands meet in the library's combiner, whose thread takes turns with the simulation's.

    A first command keeps the combiner busy while the others queue up: so which commands share a transaction does not
    depend on how threads are scheduled.
    """

    def __init__(self, database: Database, arm: Callable[[], None]) -> None:
        self._database = database
        self._arm = arm
        self._combiner: Combiner | None = None

    def serve(self, pool: str, commands: Sequence[StockCommand], apply: Apply) -> list[Outcome]:
        """One transaction, or several where the combiner looks for a command that fails by itself."""
        if self._combiner is None:
            self._combiner = Combiner(self._database, pool)
        busy, queued = threading.Event(), threading.Event()

        def keep_busy(_tx: Transaction, nothing: Sequence[Any]) -> list[Any]:
            busy.set()
            if not queued.wait(_PATIENCE_S):
                raise AssertionError("the commands were never queued")
            self._arm()
            return list(nothing)

        plug = self._combiner.submit(keep_busy, None)
        if not busy.wait(_PATIENCE_S):
            raise AssertionError("the combiner never began")
        futures = [self._combiner.submit(apply, command) for command in commands]
        queued.set()
        plug.exception(_PATIENCE_S)
        return [future.exception(_PATIENCE_S) or future.result() for future in futures]

    def close(self) -> None:
        """Stop the combiner's thread."""
        if self._combiner is not None:
            self._combiner.close()
