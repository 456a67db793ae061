"""OrderHub: the object a backend team holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Engine

from omo_core.allocation import SourcingPolicy, solve
from omo_core.channels.port import ChannelAdapter
from omo_core.hub.aio import AsyncDesk
from omo_core.hub.channel_desk import ChannelDesks
from omo_core.hub.desk import only
from omo_core.hub.desks import (
    FulfilmentDesk,
    NetworkDesk,
    OrdersDesk,
    StockDesk,
)
from omo_core.hub.sourcing_desk import SourcingDesk
from omo_core.inventory.auditor import AuditReport, audit
from omo_core.inventory.combiner import Apply, Combiner
from omo_core.inventory.repair import AcknowledgeFindings, RepairAnswer, RepairRow, acknowledge, repair
from omo_core.model.errors import HubClosed, InvalidInput
from omo_core.orders import Solver, SourcingContext, resource_displaced
from omo_core.storage.catalogue import all_components, network_version, read_network
from omo_core.storage.clock import Clock
from omo_core.storage.database import Database
from omo_core.storage.ids import IdSource
from omo_core.storage.transaction import Transaction

A = TypeVar("A")
C = TypeVar("C")
T = TypeVar("T")


class OrderHub:
    """One pool of one database, with a desk for each room: network, stock, channels, orders, fulfilment, sourcing.

    Threads may share a hub. Every method of a desk runs in a transaction of its own, repeated as a whole when the
    database asks for it, unless `tx=` names one opened with `transaction()`. Single commands share transactions with
    those of other threads and tasks where the hub combines them: see `open`.
    """

    def __init__(
        self,
        database: Database,
        *,
        pool: str = "default",
        channels: Mapping[str, ChannelAdapter] | None = None,
        combine: bool | None = None,
        solver: Solver | None = None,
    ) -> None:
        self.database = database
        self.solver = solver or solve
        self.pool = pool
        combines = not database.in_memory if combine is None else combine
        self.combiner = Combiner(database, pool) if combines else None
        """The door that single commands share, if any; `combiner.stats` counts what went through it."""
        self._closed = False
        self._context: tuple[int, SourcingContext] | None = None
        self._context_lock = threading.Lock()
        self.network = NetworkDesk(self)
        self.stock = StockDesk(self)
        self.orders = OrdersDesk(self)
        self.fulfilment = FulfilmentDesk(self)
        self.sourcing = SourcingDesk(self)
        self.channels = ChannelDesks(self, dict(channels or {}))
        self.aio = AsyncDesk(self)

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        engine: Engine | None = None,
        pool: str = "default",
        schema: str | None = None,
        channels: Mapping[str, ChannelAdapter] | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        combine: bool | None = None,
        solver: Solver | None = None,
    ) -> Self:
        """Open a pool by URL (`sqlite:///shop.db`, `postgresql+psycopg://…`) or on the host's own `engine`.

        An empty database gets its tables; one of an older version is refused with `DatabaseOutdated`, which names
        `omo migrate`. `channels` maps names to adapters, such as `{"shopify": ShopifyAdapter(…)}`.

        `combine` lets one thread commit the single commands of all callers together, hundreds a transaction under load
        and one at a time when idle. It is on unless the database is in memory, where a commit costs nothing.

        `solver` decides what is sourced while others wait, so it should be quick (`solve_greedy` is); None: the one that
        the policy names, greedy if it names none. A wave can have another.
        """
        if (url is None) == (engine is None):
            raise InvalidInput("give OrderHub.open either a database URL or an engine")
        database = Database.open(url, engine=engine, schema=schema, clock=clock, ids=ids)
        return cls(database, pool=pool, channels=channels, combine=combine, solver=solver)

    def close(self) -> None:
        """Answer the commands that wait, then give up the database connections; the hub is not used afterwards."""
        if self.combiner is not None:
            self.combiner.close()  # what waits there may use the desks
        self._closed = True
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Let several commands, and the host's own statements on `tx.connection`, commit together or not at all.

        It is not repeated by itself: on `DatabaseUnavailable` run the whole block again, with the same keys.
        """
        if self._closed:
            raise HubClosed("This hub is closed; open another one")
        with self.database.transaction(self.pool) as tx:
            yield tx

    def submit(self, apply: Apply[C, A], command: C, weight: int = 1) -> Future[A]:
        """Let a kind of command of the host's own share transactions with ours, in the order they come.

        `apply(tx, commands)` gives one answer each; give the same callable each time, because neighbours of one kind
        are applied together. See `Combiner.submit`. Where the hub does not combine, the future is done when it is
        returned.
        """
        if self.combiner is not None:
            return self.combiner.submit(apply, command, weight)
        done: Future[A] = Future()
        try:
            done.set_result(self.run(lambda tx: only(apply(tx, [command]))))
        except Exception as error:  # noqa: BLE001  it is the future's
            done.set_exception(error)
        return done

    def together(self) -> AbstractContextManager[None]:
        """Let what this thread submits in a `with` block be queued at once, so that it shares transactions.

        `with hub.together(): futures = [hub.stock.submit(one) for one in commands]`; wait for the futures after it. A
        hub that does not combine applies each command as it is submitted.
        """
        return nullcontext() if self.combiner is None else self.combiner.together()

    def run(self, work: Callable[[Transaction], T], tx: Transaction | None = None, *, read_only: bool = False) -> T:
        """Do `work` in `tx`, or in a transaction of its own that is repeated as a whole where need be.

        `read_only` looks at one consistent snapshot and waits for no writer. Raises `HubClosed` after `close()`.
        """
        if self._closed:
            raise HubClosed("This hub is closed; open another one")
        return work(tx) if tx is not None else self.database.run(self.pool, work, read_only=read_only)

    def context(self, tx: Transaction) -> SourcingContext:
        """The pool's network and policy as sourcing needs them, read again only when they changed."""
        version = network_version(tx)
        with self._context_lock:
            if self._context is None or self._context[0] != version:
                network = read_network(tx)
                policy = SourcingPolicy.load(network.policy)
                kits = all_components(tx)
                self._context = (version, SourcingContext(network, policy, version, self.solver, kits=kits))
            return self._context[1]

    def audit(self, *, halt: bool = False) -> AuditReport:
        """Check every invariant that the pool's state can show; `halt` stops sales from rows that broke one."""
        return self.run(lambda tx: audit(tx, halt=halt), read_only=not halt)

    def repair(self, command: RepairRow, *, tx: Transaction | None = None) -> RepairAnswer:
        """Put a broken stock row right, as somebody counted it, and let it sell again; a sound row is refused.

        Orders whose promised goods are not there are sourced anew in the same transaction. Raises `InvariantViolation`
        where a repair does not mend what is broken.
        """
        return self.run(lambda inner: self._repaired(inner, command), tx)

    def acknowledge(self, command: AcknowledgeFindings, *, tx: Transaction | None = None) -> RepairAnswer:
        """Take note of findings that belong to no row and are written for good; audits list them as acknowledged."""
        return self.run(lambda inner: acknowledge(inner, command), tx)

    def _repaired(self, tx: Transaction, command: RepairRow) -> RepairAnswer:
        answer = repair(tx, command)
        if answer.displaced:
            resource_displaced(tx, answer.displaced, self.context(tx))
        return answer
