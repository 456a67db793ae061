"""Group commit: callers hand in commands, one thread applies what is queued in one transaction and then answers all."""

from __future__ import annotations

import os
import threading
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, TypeVar

from omo_core.model.errors import DatabaseError, HubClosed, InvariantViolation, Overloaded
from omo_core.storage.database import Database
from omo_core.storage.faults import Fault, fault_of
from omo_core.storage.transaction import Transaction

C = TypeVar("C")
A = TypeVar("A")
Apply = Callable[[Transaction, Sequence[C]], Sequence[A | Exception]]
"""Applies commands of one kind in the order given and returns one answer each; an exception among the answers is raised
to its own caller only, and must have changed nothing. It may be called again with the same commands, or with a part."""

MAX_BATCH: Final = 1_000
MAX_WAITING: Final = 20_000
"""Lines of commands in one transaction, and in the queue: some seconds of work, after which a caller has given up."""

_FORK_PATIENCE_S: Final = 5.0

_LOCK_SHARED: Final = "SELECT pg_advisory_xact_lock_shared(%s, %s)"
_LOCK_ALONE: Final = "SELECT pg_advisory_xact_lock(%s, %s)"
_LOCK_SPACE: Final = 0x6F6D6F  # "omo": what other locks of the host's database are not likely to be named


@dataclass(frozen=True, slots=True)
class CombinerStats:
    """What a combiner did since it was opened: transactions committed, commands answered by them, most in one."""

    batches: int = 0
    commands: int = 0
    largest_batch: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One command in the queue."""

    apply: Apply[Any, Any]
    command: Any
    weight: int
    future: Future[Any]


class Combiner:
    """The door through which many callers share transactions; safe to use from any thread.

    Commands are decided in the order they came, whatever their kinds, and answered after their commit. There is no timer:
    a batch is what came while the one before was at work, so a lone command waits for nobody. The thread is started by
    the first command, and anew in a forked child, which begins with an empty queue.
    """

    def __init__(
        self, database: Database, pool: str, *, max_batch: int = MAX_BATCH, max_waiting: int = MAX_WAITING
    ) -> None:
        self._database = database
        self._pool = pool
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._closed = False
        self._gathering = threading.local()
        self._begin()
        _combiners.add(self)

    def _begin(self) -> None:
        """A queue without a thread; also what a forked child starts from, where the parent's lock may be held forever."""
        self._changed = threading.Condition(threading.Lock())
        self._at_work = threading.Lock()
        self._queue: deque[tuple[int, Sequence[_Entry]]] = deque()
        """What was submitted at once, with its lines: it shares one batch, however long it is."""
        self._waiting = 0
        self._worker: threading.Thread | None = None
        self._stats = CombinerStats()

    @property
    def stats(self) -> CombinerStats:
        """The figures so far, of this process."""
        return self._stats

    def submit(self, apply: Apply[C, A], command: C, weight: int = 1) -> Future[A]:
        """Queue a command that `apply` knows; the future has its answer once that is committed.

        Never blocks, so that an event loop may call it: where too much is waiting it raises `Overloaded` instead, which
        callers that wait for their answers never reach. `weight` is the command's number of lines. A future cancelled
        before its batch begins is not applied. The future raises `DatabaseUnavailable` (repeat the command with the same
        key) or whatever the command itself brought about. Its callbacks run in the combiner's thread: keep them short.

        Raises `HubClosed`, and `DatabaseError` inside a transaction of this thread: the combiner's would wait for it.
        """
        self._database.require_no_transaction_here()
        entry = _Entry(apply, command, weight, Future())
        gathered: list[_Entry] | None = getattr(self._gathering, "entries", None)
        if gathered is None:
            self._enqueue([entry])
        else:
            gathered.append(entry)
        return entry.future

    @contextmanager
    def together(self) -> Iterator[None]:
        """Queue what this thread submits in the block at once, at its end, to share one transaction, however long it is.

        So the same commands make the same batches, however threads are scheduled. Waiting for an answer inside would
        never end. Where the block raises, or the queue is full, nothing of it is applied and its futures are cancelled.
        """
        if getattr(self._gathering, "entries", None) is not None:
            raise DatabaseError("This thread is gathering commands already; end that block first")
        gathered: list[_Entry] = []
        self._gathering.entries = gathered
        try:
            yield
            self._gathering.entries = None
            if gathered:
                self._enqueue(gathered)
        except BaseException:
            for entry in gathered:
                entry.future.cancel()
            raise
        finally:
            self._gathering.entries = None

    def _enqueue(self, entries: Sequence[_Entry]) -> None:
        weight = sum(entry.weight for entry in entries)
        with self._changed:
            if self._closed:
                raise HubClosed("This hub is closed; open another one and send the command again with the same key")
            if self._queue and self._waiting + weight > self._max_waiting:
                raise Overloaded(
                    f"{self._waiting} lines of commands wait already; send this one again later, with the same key"
                )
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="omo-combiner", daemon=True)
                self._worker.start()
            self._queue.append((weight, entries))
            self._waiting += weight
            self._changed.notify()

    def call(self, apply: Apply[C, A], command: C, weight: int = 1) -> A:
        """`submit`, and wait for the answer."""
        if threading.current_thread() is self._worker:
            raise DatabaseError("A callback of a future cannot wait for the combiner, whose thread it runs in; submit")
        if getattr(self._gathering, "entries", None) is not None:
            raise DatabaseError("Commands are being gathered here; submit this one, and wait after the block")
        return self.submit(apply, command, weight).result()

    def close(self) -> None:
        """Answer what is queued, then stop; twice is once. A process that ends without it leaves the rest unapplied."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            begun = [entry for entry in batch if entry.future.set_running_or_notify_cancel()]
            if begun:
                with self._at_work:
                    self._settle(begun)

    def _next_batch(self) -> list[_Entry]:
        """Wait for commands and take the first of the queue, at least one; none when closed and empty."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            batch: list[_Entry] = []
            weight = 0
            while self._queue and (not batch or weight + self._queue[0][0] <= self._max_batch):
                more, entries = self._queue.popleft()
                weight += more
                batch.extend(entries)
            self._waiting -= weight
            return batch

    def _settle(self, batch: list[_Entry]) -> None:
        """Apply a batch and answer it; one that fails by itself is applied in halves, until the culprit stands alone."""
        answers, error = self._try(batch)
        if error is None:
            self._count(batch)
            for entry, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    entry.future.set_exception(answer)
                else:
                    entry.future.set_result(answer)
        elif len(batch) > 1 and _is_of_a_command(error):
            middle = len(batch) // 2
            self._settle(batch[:middle])
            self._settle(batch[middle:])
        else:
            for entry in batch:
                entry.future.set_exception(error)

    def _count(self, batch: list[_Entry]) -> None:
        before, size = self._stats, len(batch)
        self._stats = CombinerStats(before.batches + 1, before.commands + size, max(before.largest_batch, size))

    def _try(self, batch: list[_Entry]) -> tuple[list[Any], BaseException | None]:
        try:
            return self._commit(batch), None
        except BaseException as error:  # noqa: BLE001  it belongs to the callers, whatever it is; the thread serves others
            return [], error

    def _commit(self, batch: list[_Entry]) -> list[Any]:
        """The answers to a batch, committed: neighbours of one kind are applied together."""
        runs = [
            (apply, [entry.command for entry in entries]) for apply, entries in groupby(batch, key=attrgetter("apply"))
        ]

        def work(tx: Transaction) -> list[Any]:
            _take_turn(tx, alone=len(runs) > 1)
            answers: list[Any] = []
            for apply, commands in runs:
                given = apply(tx, commands)
                if len(given) != len(commands):
                    raise InvariantViolation(f"{apply} gave {len(given)} answers to {len(commands)} commands: a defect")
                answers.extend(given)
            return answers

        return self._database.run(self._pool, work)


def _is_of_a_command(error: BaseException) -> bool:
    """Whether a command brought the error about; an outage would only be met again, half by half."""
    return fault_of(error.__cause__ or error) in (Fault.DEFECT, Fault.RACE)


def _take_turn(tx: Transaction, *, alone: bool) -> None:
    """Keep the combiners of several processes apart where one batch holds several kinds of commands.

    Each kind keeps the lock order, but the second begins at its top again while the rows of the first are locked: two
    such batches could deadlock. SQLite has one writer anyway.
    """
    if tx.postgres:
        pool = zlib.crc32(tx.pool.encode()) - 2**31  # a signed 32-bit number
        tx.ask_sql(_LOCK_ALONE if alone else _LOCK_SHARED, (_LOCK_SPACE, pool))  # which answers nothing


_combiners: weakref.WeakSet[Combiner] = weakref.WeakSet()
_held_for_fork: list[Combiner] = []


def _before_fork() -> None:
    """Let batches end first: SQLite would keep a child from a file that the parent's copied connection has locked."""
    _held_for_fork.extend(combiner for combiner in _combiners if combiner._at_work.acquire(timeout=_FORK_PATIENCE_S))  # noqa: SLF001


def _after_fork_in_parent() -> None:
    while _held_for_fork:
        _held_for_fork.pop()._at_work.release()  # noqa: SLF001


def _after_fork_in_child() -> None:
    _held_for_fork.clear()
    for combiner in _combiners:
        combiner._begin()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
