"""One simulated run: clients, network, service, sweeper and clock take turns by the dice of one seed."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from omo_core.inventory import apply_many, apply_one, expire_holds
from omo_core.model.errors import DatabaseError, DuplicateKeyMismatch
from omo_core.model.stock import Hold, StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.catalogue import save_network
from omo_core.storage.clock import ManualClock
from omo_core.storage.database import Database
from omo_core.storage.ids import SeededIds
from omo_core.storage.schema import prepare
from omo_core.storage.transaction import Transaction
from omo_core.testing.pool_model import PoolModel
from omo_core.testing.simulator_check import differences, digest_of
from omo_core.testing.simulator_clients import Clients, Network, Request
from omo_core.testing.simulator_desk import NETWORK, NODES, SKUS, Desk
from omo_core.testing.simulator_faults import NAMES, Died, FaultPlan, RacedKey
from omo_core.testing.simulator_service import Combined, Direct, Outcome, Service
from omo_core.testing.simulator_wire import Wire

POOL: Final = "simulated"
SWEEP_LIMIT: Final = 7
LARGEST_BATCH: Final = 50
FAULT_RATE: Final = 0.075
"""Chance of a fault at a statement, in most transactions of a run of middle temper."""
TEMPERS: Final = (0.3, 0.7, 1.0, 1.4, 2.0)
_TOO_LONG_ROUNDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of: the same settings give the same run, byte for byte."""

    seed: int
    operations: int = 2_000
    """Commands that clients send, each counted once."""
    faults: tuple[str, ...] = NAMES
    """Kinds of faults that may strike."""
    in_file: bool = False
    """Whether the database is a SQLite file of the run's own, and not in memory."""
    combined: bool = False
    """Whether commands go through the combiner."""


class Trace:
    """Everything that happened, as a running hash, and its last lines for a person."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self.tail: deque[str] = deque(maxlen=25)

    def note(self, *parts: object) -> None:
        """Add one line."""
        line = " ".join(map(str, parts))
        self._whole.update(line.encode() + b"\n")
        self.tail.append(line)

    def digest(self) -> str:
        """SHA-256 of all lines so far."""
        return self._whole.hexdigest()


@dataclass
class Flight:
    """What the transaction now open will have done if it commits."""

    now_us: int
    commands: Sequence[StockCommand] = ()
    answers: Sequence[StockAnswer] = ()
    ended: Sequence[Hold] | None = None
    """What a sweep ended; None where this is no sweep."""


@dataclass
class Simulation:
    """The world of one run. `complaints` is what went wrong; the first one ends the run."""

    settings: Settings
    path: str | None = None
    """A new SQLite file; None keeps the database in memory."""
    complaints: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    """What commands came to, by kind: applied, or the codes of their refusals; repeated ones count again."""
    round: int = 0

    def __post_init__(self) -> None:
        seed = self.settings.seed
        self.dice = random.Random(f"{seed}/world")
        self.clock = ManualClock()
        self.ids = SeededIds(seed, self.clock)
        self.trace = Trace()
        self.model = PoolModel(frozenset(SKUS), frozenset(NODES))
        self.plan = FaultPlan(random.Random(f"{seed}/faults"), self.settings.faults)
        # Each seed has a temper of its own: some runs are nearly calm, in others little gets through; of five seeds
        # that follow each other every temper has one.
        self.rate = FAULT_RATE * TEMPERS[seed % len(TEMPERS)]
        trouble = 0.04 * self.dice.choice((0.1, 0.5, 1.0, 2.0, 4.0))
        self.network = Network(random.Random(f"{seed}/network"), trouble)
        self.desk = Desk(random.Random(f"{seed}/commands"), self.clock.now())
        self.clients = Clients(random.Random(f"{seed}/clients"), self.network, self.desk)
        self.wire = Wire(self.plan, self.path, self._committed, self._heard)
        self.flight: Flight | None = None
        self.storm, self.serving = 0.0, False
        self.database = self._start()
        self.database.run(POOL, lambda tx: save_network(tx, NETWORK))

    def run(self) -> None:
        """Send, serve, sweep and jump until every command was sent; then let all come to rest, and compare."""
        try:
            while not self.complaints and len(self.clients.requests) < self.settings.operations:
                self._turn()
            if not self.complaints:
                self._drain()
            if not self.complaints:
                self.complaints.extend(self.database.read(POOL, lambda tx: list(differences(tx, self.model))))
        finally:
            with self.database.connection(read_only=True) as connection:
                self.trace.note("database", digest_of(connection))
            self.service.close()
            self.database.close()
            self.wire.close()

    def _turn(self) -> None:
        self.round += 1
        self._pass_time()
        batch = self._batch_size()
        room = self.settings.operations - len(self.clients.requests)
        for _ in range(min(batch, room)):
            request = self.clients.issue(self.round)
            self.trace.note("send", request.number, request.command.kind)
        self.clients.ask_again(self.round)
        self._serve(self.network.due(self.round, self.dice.choice((batch + 1, LARGEST_BATCH, LARGEST_BATCH))))
        if self.dice.random() < 0.1:
            self._sweep()
        if self.dice.random() < 0.01:
            self._restart("planned")
        if self.dice.random() < 0.004:
            self.complaints.extend(self.database.read(POOL, lambda tx: list(differences(tx, self.model))))

    def _batch_size(self) -> int:
        """Mostly small, sometimes single, sometimes as large as they come."""
        return self.dice.choice((1, 1, 2, 3, 5, 8, 12, 16, 24, 32, LARGEST_BATCH))

    def _pass_time(self) -> None:
        jump_s = self.dice.choices((0, 0.000_001, 0.02, 1, 60, 3_600, 86_400), (10, 10, 40, 30, 8, 1.5, 0.5))[0]
        self.counts["clock_jumps"] += jump_s >= 60
        self.desk.now = self.clock.advance(timedelta(seconds=jump_s))

    def _serve(self, arrived: Sequence[Request]) -> None:
        """The service takes what arrived in one transaction, and answers whom it can."""
        if not arrived:
            return
        self.counts["deliveries"] += len(arrived)
        self.trace.note("serve", *(request.number for request in arrived))
        outcomes = self._under_fire(lambda: self.service.serve(POOL, [one.command for one in arrived], self._apply))
        for request, outcome in zip(arrived, outcomes, strict=True):
            raised = isinstance(outcome, DuplicateKeyMismatch)
            answer = self.model.reused(request.command) if raised else outcome
            if isinstance(answer, StockAnswer) and not self.network.loses_answer():
                self._acknowledge(request, answer)

    def _apply(self, tx: Transaction, commands: Sequence[StockCommand]) -> list[StockAnswer]:
        """What the service does in its transaction, and a note of it for when that commits."""
        self.flight = Flight(tx.now_us, commands)
        one_alone = len(commands) == 1 and not self.settings.combined
        self.flight.answers = [apply_one(tx, commands[0])] if one_alone else apply_many(tx, commands)
        return list(self.flight.answers)

    def _acknowledge(self, request: Request, answer: StockAnswer) -> None:
        self.counts["answers"] += 1
        name = (request.command.scope, request.command.key)
        digest, kept = self.model.answers.get(name, ("", None))
        if kept is None:
            self.complaints.append(f"request {request.number} was answered before it was committed")
            return
        expected = kept if digest == request.command.digest() else self.model.reused(request.command)
        if expected != answer:
            self.complaints.append(f"request {request.number} got {answer}, but its key stands for {expected}")
        if wrong := self.clients.hear(request, answer):
            self.complaints.append(wrong)

    def _sweep(self) -> None:
        def sweep(tx: Transaction) -> None:
            self.flight = Flight(tx.now_us)
            self.flight.ended = expire_holds(tx, SWEEP_LIMIT)

        def serve() -> list[Outcome]:
            self._arm()
            try:
                self.database.run(POOL, sweep)
            except BaseException as error:  # noqa: BLE001  also the death of the process
                return [error]
            return []

        self.trace.note("sweep")
        self.counts["sweeps"] += 1
        self._under_fire(serve)

    def _arm(self) -> None:
        """From here on faults may strike: mostly few, sometimes so many that little gets through."""
        self.plan.rate, self.serving = self.storm, True

    def _under_fire(self, serve: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Let the service do something while faults strike; what it raises is an outage, its death, or a defect."""
        self.storm, fired = self.rate * self.dice.choices((0, 1, 8), (30, 66, 4))[0], self.plan.total
        outcomes = serve()
        self.plan.rate, self.flight, self.serving = 0.0, None, False
        errors = [outcome for outcome in outcomes if not isinstance(outcome, StockAnswer | DuplicateKeyMismatch)]
        self.counts["failed_calls"] += bool(errors)
        for error in errors[:1]:
            self.trace.note("failed", type(error).__name__)
            if not _is_outage(error) or self.plan.total == fired:
                self.complaints.append(f"{self.plan.total - fired} faults made {type(error).__name__}: {error}")
        if self.wire.dead:
            self._restart("crashed")
        return outcomes

    def _committed(self) -> None:
        """The database has committed: from now on this happened, whoever hears of it; so the model does it too."""
        flight, self.flight = self.flight, None
        if flight is None:
            return
        self.counts["transactions"] += 1
        if flight.ended is not None:
            expected = self.model.sweep(flight.now_us, SWEEP_LIMIT)
            if list(flight.ended) != expected:
                self.complaints.append(f"a sweep ended {flight.ended}, but should have ended {expected}")
            return
        for command, answer in zip(flight.commands, flight.answers, strict=True):
            expected_answer = self.model.apply(command, flight.now_us, [hold.hold for hold in answer.holds])
            codes = [refusal.code for refusal in (*answer.refusals, *answer.row_refusals)]
            self.outcomes.update(f"{command.kind}: {code}" for code in codes or ["applied"])
            self.trace.note("done", command.scope, command.key, *codes)
            if answer != expected_answer:
                self.complaints.append(f"{command} was answered {answer}, but should have been {expected_answer}")
                return

    def _heard(self, sql: str, fault: str) -> None:
        if self.serving:  # what audits and restarts say in between depends on nothing that a run is about
            self.trace.note("sql", sql.split("WHERE", maxsplit=1)[0], fault)

    def _restart(self, why: str) -> None:
        """The process is gone with all it knew; another one opens the database."""
        self.trace.note("restart", why)
        self.counts[f"restarts_{why}"] += 1
        self.service.close()
        self.wire.restart()
        self.database.close()
        self.database = self._start()

    def _start(self) -> Database:
        def pause(pause_s: float) -> None:
            self.clock.advance(timedelta(seconds=pause_s))

        dice = random.Random(self.dice.random())
        database = Database(self.wire.url, clock=self.clock, ids=self.ids, rng=dice, pause=pause)
        self.wire.attach(database.engine)
        prepare(database, "empty")
        self.service: Service = (Combined if self.settings.combined else Direct)(database, self._arm)
        return database

    def _drain(self) -> None:
        """No more faults: what is still asked is answered, and what is past its time is ended."""
        self.rate = self.network.trouble = 0.0
        last = self.round + _TOO_LONG_ROUNDS
        while not self.complaints and self.clients.waiting:
            self.round += 1
            self.clients.ask_again(self.round)
            # All that has arrived: at one batch a round, a long queue of those who ask again and again never ends.
            while not self.complaints and (arrived := self.network.due(self.round, LARGEST_BATCH)):
                self._serve(arrived)
            if self.round > last:
                self.complaints.append(f"{len(self.clients.waiting)} requests are never answered")
        self.clock.advance(timedelta(days=30))
        self._sweep()
        while not self.complaints and any(hold.is_late(self.model.now_us) for hold in self.model.holds.values()):
            self._sweep()  # a sweep that leaves what it should have ended is a complaint, so this comes to an end


def _is_outage(error: BaseException) -> bool:
    """Whether an error says that something outside of the library went wrong; who loses every race gets it as it is."""
    return isinstance(error, Died | DatabaseError) or isinstance(getattr(error, "orig", None), RacedKey)
