"""The run: a network, a stock list and messages become a pool's day, on the messages' own clock."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from omo_core.batch.bookmark import Bookmark
from omo_core.batch.files import InputLine, RejectedRow, StockRow, fingerprint, read_stock
from omo_core.batch.nodes import Offer, SimulatedNodes, offers_in_hand
from omo_core.batch.opening import receive_opening_stock
from omo_core.batch.reading import CsvRules, Message, Reader, ReadLines
from omo_core.batch.steps import Answering, Ended, Step, by_time, settled
from omo_core.channels.native import NativeAdapter
from omo_core.channels.port import ChannelAdapter, EventKind
from omo_core.exchange import Received, remember
from omo_core.hub import OrderHub
from omo_core.hub.desks import read_network_file
from omo_core.model.errors import DuplicateKeyMismatch, InvalidInput
from omo_core.model.fulfilment import FulfilmentAnswer, FulfilmentCommand, PlacedOrder
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.stock import CounterSale, StockAnswer
from omo_core.orders import CancelOrder
from omo_core.storage.clock import ManualClock, to_us
from omo_core.storage.transaction import Transaction

T = TypeVar("T")
A = TypeVar("A")
Mark = Callable[[Transaction, Sequence[str]], None]
Progress = Callable[[str, int, int], None]
"""Called with a stage's name, how much of it is done and, where known, how much there is (else 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """What a run reads."""

    network: Path
    stock: Path
    orders: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    channels: Path | None = None
    """A JSON file: channel name → {"adapter": name, "config": {…}}, with the secrets that signed the envelopes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run behaves."""

    dialect: ChannelAdapter = field(default_factory=NativeAdapter)
    """Reads documents that stand in the file as they are, without an envelope."""
    reject_share: float = 0.0
    seed: int = 1
    window: int = 200
    """Messages read together; between windows nodes answer what they were offered before."""
    step_s: int = 7_200
    """Within a window, counter sales and orders of so many simulated seconds are handled together, sales first."""


@dataclass(slots=True)
class RunLog:
    """What a run did and how long its stages took; only `seconds` differ from run to run.

    Reading goes on beside other stages, and commits belong to none: so the stages do not add up to the whole.
    """

    rejected: list[RejectedRow] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    resumed_after: int = 0
    """Messages that an earlier run over the same files had finished."""


class Run:
    """One pass over the input files; running it again goes on where the last one stopped."""

    def __init__(
        self,
        hub: OrderHub,
        clock: ManualClock,
        files: RunFiles,
        options: RunOptions,
        progress: Progress | None = None,
    ) -> None:
        self.hub = hub
        self.clock = clock
        self.files = files
        self.options = options
        self._progress = progress
        self.log = RunLog()
        self.network = read_network_file(files.network)
        self._skus = {item.sku for item in self.network.items}
        self._nodes = {node.node for node in self.network.nodes}
        self.stock_rows: list[StockRow] = []
        self._in_hand: list[Offer] = []
        self._bookmark = Bookmark(hub, self._name())

    def execute(self) -> RunLog:
        """Load, flow, finish; returns what happened. Raises `InvalidInput` where a file as a whole cannot be used."""
        rules = CsvRules(self.files.columns, self.network.currency)
        reader = Reader(self.hub, self.files.orders, self.options.dialect, self.log.rejected, rules)
        self._start_clock(reader)
        self._stage("network", self._load_network)
        self._stage("stock", self._load_stock)
        kinds = {node.node: node.kind for node in self.network.nodes}
        nodes = SimulatedNodes(kinds, reject_share=self.options.reject_share, seed=self.options.seed)
        done = self._go_on()
        self._flow(reader, nodes, done)
        return self.log

    def _flow(self, reader: Reader, nodes: SimulatedNodes, done: int) -> None:
        """Window by window through the file, and on until the nodes have nothing in hand.

        One transaction applies a window, and before it what the nodes answer after the one before it, and remembers what
        the next window says. The one after that is read meanwhile.
        """
        total = reader.count()
        self._tell("flow", done, total)
        windows = _windows(reader.lines(), self.options.window, skip=done)
        read = self._read(reader, windows)
        with self.hub.together():
            remembered = self._remember(read)
        coming = self._read(reader, windows)
        ended: Ended | None = None
        while read.lines or ended is not None:
            outcomes = settled(remembered)
            rejected_before = len(self.log.rejected)
            with self.hub.together():
                remembered = self._remember(coming)  # the inbox comes first in the lock order
                answering = None if ended is None else self._submit_answers(nodes, ended)
                steps = self._submit_window(reader.messages(read, outcomes))
            later = self._read(reader, windows)
            if ended is not None and answering is not None:
                self._count_answers(answering)
                self._tell("flow", ended.messages, total)
            ended = self._ended(steps, read, done, rejected_before) if read.lines else self._after_hours(ended)
            done += read.lines
            read, coming = coming, later

    def _read(self, reader: Reader, windows: Iterator[list[InputLine]]) -> ReadLines:
        return self._stage("read", lambda: reader.read(next(windows, [])))

    def _ended(self, steps: Sequence[Step], read: ReadLines, done: int, rejected_before: int) -> Ended:
        """Wait for a window, and count what came of it."""
        for step in steps:
            self._count(step)
        self.log.counts["messages"] += read.lines
        rejected = sorted(self.log.rejected[rejected_before:], key=lambda row: row.line)
        self.log.rejected[rejected_before:] = rejected
        return Ended(done + read.lines, to_us(self.clock.now()), rejected)

    def _after_hours(self, ended: Ended | None) -> Ended | None:
        """Nodes go on where no message comes any more, as long as they have something in hand."""
        if ended is None or not self._in_hand:
            return None
        return Ended(ended.messages, ended.now_us, [])

    def _start_clock(self, reader: Reader) -> None:
        """The day begins with its first message."""
        first = reader.first_instant()
        if first is not None:
            self.clock.set(first)

    def _go_on(self) -> int:
        """Take up the clock, the nodes' offers and the rejected rows where an earlier run left them."""
        place, rejected = self._bookmark.open()
        self.log.rejected += rejected
        if place is None:
            return 0
        self.clock.set(place.now)
        seen = frozenset(place.in_hand)
        self._in_hand = [one for one in self.hub.run(offers_in_hand, read_only=True) if one.fulfilment in seen]
        self.log.resumed_after = place.messages
        return place.messages

    def _load_network(self) -> None:
        self.hub.network.load(self.network)
        self.log.counts["nodes"], self.log.counts["items"] = len(self.network.nodes), len(self.network.items)

    def _load_stock(self) -> None:
        """Receive the stock list in commands of many rows; a row of an unknown item or node is rejected alone."""
        rows = read_stock(self.files.stock, self.files.columns, self.log.rejected)
        self.stock_rows = [row for row in rows if self._row_is_known(row)]
        for row, units in receive_opening_stock(self.hub, self.stock_rows, partial(self._tell, "stock")):
            reason = f"{units} units of {row.sku} at {row.node} came with an earlier list; put that number back, or open a new pool"
            self.log.rejected.append(RejectedRow(self.files.stock.name, row.line, "already_received", reason))
        self.log.rejected.sort(key=lambda row: row.line)
        self.log.counts["stock_rows"] = len(self.stock_rows)
        self.log.counts["stock_units"] = sum(row.quantity for row in self.stock_rows)

    def _row_is_known(self, row: StockRow) -> bool:
        if row.sku in self._skus and row.node in self._nodes:
            return True
        unknown = self._unknown(row.node, [row.sku])
        if unknown is not None:
            self.log.rejected.append(RejectedRow(self.files.stock.name, row.line, unknown.code, unknown.sentence))
        return unknown is None

    def _unknown(self, node: str, skus: Iterable[str]) -> Refusal | None:
        """Why the network document cannot place these goods.

        Asked before the pool is: it would remember its refusal with the key, and keep to it when the network has grown.
        """
        unknown = [Refusal.of("unknown_sku", sku=sku) for sku in skus if sku not in self._skus]
        if node not in self._nodes:
            unknown.append(Refusal.of("unknown_node", node=node))
        return unknown[0] if unknown else None

    def _submit_window(self, messages: Sequence[Message]) -> list[Step]:
        """Hand a window's messages to the hub, step by step."""
        steps = []
        for within in by_time(messages, self.options.step_s):
            self.clock.set(max(self.clock.now(), within[-1].at))
            steps.append(self._submit_step(within, to_us(self.clock.now())))
        return steps

    def _submit_step(self, messages: Sequence[Message], now_us: int) -> Step:
        """Counter sales, then orders, then what cancels orders, all of them at the end of their step of time."""
        step = Step()
        # Callables of its own keep a step's commands apart from the next one's.
        sell, place, cancel = partial(self._sell, now_us), partial(self._place, now_us), partial(self._cancel, now_us)
        for one in messages:
            if one.event.counter_sale is not None and self._is_known(one):
                step.sold.append((one, self.hub.submit(sell, one.event.counter_sale.command())))
        for one in messages:
            if one.event.order is not None:
                step.placed.append((one, self.hub.submit(place, one.event.order)))
        for one in messages:
            back = one.event.cancellation
            if back is not None and not back.requested and not back.quantities:
                cancelling = CancelOrder(channel=back.channel, external_id=back.external_id)
                step.cancelled.append((one, self.hub.submit(cancel, cancelling)))
            elif one.event.kind is not EventKind.OTHER and not _holds_something(one):
                reason = "the message only names an order; fetch it and put its document in the file"
                self._reject(one, "not_inside", reason)
        return step

    def _sell(self, now_us: int, tx: Transaction, commands: Sequence[CounterSale]) -> list[StockAnswer]:
        return self._stage("counter sales", lambda: self.hub.stock.apply_many(commands, tx=tx.at(now_us)))

    def _place(self, now_us: int, tx: Transaction, orders: Sequence[Order]) -> list[PlacedOrder]:
        return self._stage("place", lambda: self.hub.orders.place_many(orders, tx=tx.at(now_us)))

    def _cancel(self, now_us: int, tx: Transaction, commands: Sequence[CancelOrder]) -> list[PlacedOrder]:
        return self.hub.orders.cancel_many(commands, tx=tx.at(now_us))

    def _count(self, step: Step) -> None:
        self._count_sales(self._answered(step.sold))
        self._count_orders(self._answered(step.placed))
        self.log.counts["cancellations"] += len(list(self._answered(step.cancelled)))

    def _answered(self, submitted: Iterable[tuple[Message, Future[A]]]) -> list[tuple[Message, A]]:
        """Messages with their answers; one that cannot be applied is rejected, and no other."""
        answered = []
        for message, future in submitted:
            try:
                answered.append((message, future.result()))
            except (InvalidInput, DuplicateKeyMismatch) as error:
                self._reject(message, error.code, str(error))
        return answered

    def _count_sales(self, answers: Iterable[tuple[Message, StockAnswer]]) -> None:
        for one, answer in answers:
            if answer.refusals:
                self._reject(one, answer.refusals[0].code, answer.refusals[0].sentence)
                continue
            self.log.counts["counter_sales"] += 1
            self.log.counts["displaced_units"] += sum(lost.quantity for lost in answer.displaced)
            self.log.counts["off_book_lines"] += len(answer.shortages)

    def _count_orders(self, answers: Iterable[tuple[Message, PlacedOrder]]) -> None:
        for one, placed in answers:
            if placed.refusals and placed.refusals[0].code == "stale_version":
                # Deliveries overtake each other; a newer version is there already, which is no fault of the row.
                self.log.counts["overtaken"] += 1
            elif placed.refusals:
                self._reject(one, placed.refusals[0].code, placed.refusals[0].sentence)
            else:
                self.log.counts["orders"] += 1

    def _is_known(self, message: Message) -> bool:
        sold = message.event.counter_sale
        unknown = self._unknown(sold.node, [line.sku for line in sold.lines]) if sold else None
        if unknown is not None:
            self._reject(message, unknown.code, unknown.sentence)
        return unknown is None

    def _remember(self, read: ReadLines) -> list[Future[Received]]:
        return [self.hub.submit(remember, one) for _, one in read.signed]

    def _submit_answers(self, nodes: SimulatedNodes, ended: Ended) -> Answering:
        """Nodes answer what they had in hand when they were last asked, and take note of what they have now.

        An offer that a counter sale or a cancellation took back meanwhile is refused, which changes nothing. With the
        answers goes the place in the file: everything up to there is done.
        """
        answer, look = partial(self._answer, ended.now_us), partial(self._look, ended.now_us)
        given = [self.hub.submit(answer, command) for command in nodes.answer(self._in_hand)]
        return Answering(given, self.hub.submit(look, partial(self._bookmark.move, ended.messages, ended.rejected)))

    def _answer(self, now_us: int, tx: Transaction, commands: Sequence[FulfilmentCommand]) -> list[FulfilmentAnswer]:
        return self._stage("fulfil", lambda: self.hub.fulfilment.apply_many(commands, tx=tx.at(now_us)))

    def _look(self, now_us: int, tx: Transaction, marks: Sequence[Mark]) -> list[list[Offer]]:
        """What nodes have in hand, and with it the place that is kept."""
        offers = offers_in_hand(tx)
        for mark in marks:
            mark(tx.at(now_us), [one.fulfilment for one in offers])
        return [offers for _ in marks]

    def _count_answers(self, answering: Answering) -> None:
        answers = [future.result() for future in answering.given]
        self._in_hand = answering.in_hand.result()
        self.log.counts.update(f"answers_{answer.kind}" for answer in answers if not answer.refusals)

    def _tell(self, stage: str, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(stage, done, total)

    def _reject(self, message: Message, code: str, reason: str) -> None:
        self.log.rejected.append(RejectedRow(self.files.orders.name, message.line, code, reason))

    def _stage(self, name: str, work: Callable[[], T]) -> T:
        start = perf_counter()
        try:
            return work()
        finally:
            self.log.seconds[name] += perf_counter() - start

    def _name(self) -> str:
        """Who corrects the network or how the orders are read has their rejected rows looked at again."""
        dialect = self.options.dialect
        read_with = [path for path in (self.files.network, self.files.channels) if path is not None]
        parts = [
            *(fingerprint(path) for path in (self.files.orders, *read_with)),
            f"{type(dialect).__qualname__} {dialect.channel}",
            *(f"{ours}={theirs}" for ours, theirs in sorted(self.files.columns.items())),
        ]
        return f"run/{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _holds_something(message: Message) -> bool:
    event = message.event
    return any(one is not None for one in (event.order, event.counter_sale, event.cancellation, event.refund))


def _windows(lines: Iterator[InputLine], size: int, *, skip: int) -> Iterator[list[InputLine]]:
    """Lines in groups of `size`, without the first `skip`."""
    rest = islice(lines, skip, None)
    while window := list(islice(rest, size)):
        yield window
