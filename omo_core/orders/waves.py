"""Waves: what was solved together, kept with the decisions so that it can be solved again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from pydantic_core import to_json
from sqlalchemy import select

from omo_core.allocation import LineShortfall, Plan
from omo_core.model.refusals import Refusal
from omo_core.model.stock import Hold
from omo_core.orders.deciding import ROUTER, Decided, StockRow
from omo_core.orders.entries import OrderEntry
from omo_core.orders.kits import Kit, Kits, kits_of
from omo_core.orders.left_prices import NO_PRICES, LeftPrices
from omo_core.orders.quota_limits import WithinQuotas
from omo_core.storage import tables
from omo_core.storage.clock import from_us, to_us
from omo_core.storage.transaction import Transaction


class Solve(NamedTuple):
    """One run of the solver: how many deliveries it decided, at what cost, and what it proved."""

    deliveries: int
    cost_minor: int
    lower_bound_minor: int | None
    solver: str
    greedy_minor: int | None = None
    """What its greedy plan cost, where it began with one."""

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """What a plan came to."""
        return cls(plan.problem.orders, plan.cost_minor, plan.lower_bound_minor, plan.solver, plan.greedy_minor)

    @classmethod
    def all_of(cls, decided: Decided) -> list[Self]:
        """The router's run, if it decided anything, and the solver's."""
        runs = [cls.of(plan) for plan in (decided.first, decided.again) if plan is not None]
        deliveries, cost_minor = decided.in_real_time()
        return [cls(deliveries, cost_minor, None, ROUTER), *runs] if deliveries else runs

    @property
    def in_real_time(self) -> bool:
        """Whether the router decided, delivery after delivery; nothing is proven of that, and nothing promised."""
        return self.solver == ROUTER


VERSION: Final = 1
"""Of a wave's document."""

_PRICES: Final = ("wave", "sha256", "document")
_COLUMNS: Final = ("wave", "solver", "policy_sha256", "network_version", "stock_sha256", "document", "decided_at_us")


@dataclass(frozen=True)
class WaveOrder:
    """What was solved of one order."""

    order: str
    attempt: int
    source_version: int
    """Version of the order that was solved; where its goods go is read from the order."""
    deliveries: Mapping[int, Sequence[tuple[str, str, int]]]
    """Number of the delivery → (line, sku, units) that quotas left to be served."""
    rejected_by: tuple[str, ...] = ()
    provisional: tuple[StockRow, ...] = ()
    """Units that its own holds kept and that counted as free."""
    kits: Kits = field(default_factory=dict)
    """Its lines of kits, whose units are of components."""


@dataclass(frozen=True)
class Wave:
    """What was solved together, in the order in which it was given to the solver."""

    wave: str
    policy_sha256: str
    network_version: int
    stock_sha256: str
    decided_at: datetime
    solver: str
    orders: tuple[WaveOrder, ...]
    cuts: Mapping[str, list[LineShortfall]] = field(default_factory=dict)
    """What quotas took off, by demand."""
    emptied: tuple[str, ...] = ()
    """Demands of which they left nothing."""
    capacity: Mapping[str, int] = field(default_factory=dict)
    """Node → units of work that its slot could still take."""
    paid: str = ""
    """The wave whose prices the router was to pay; empty where there were none."""


@dataclass(frozen=True)
class Solved:
    """What is known of a wave once it is solved, and is to be stored if something comes of it."""

    wave: str
    """Drawn before the stock was looked at."""
    solver: str
    stock_sha256: str
    document: Mapping[str, Any]
    """As `wave_document` has it; `store_wave` writes `runs` into it."""
    runs: Sequence[Solve]
    at_us: int
    """The instant that opening hours were read for."""
    leaves: LeftPrices | None = None
    """Prices for the router to pay from here on; None: as before."""


def wave_document(
    entries: Sequence[OrderEntry],
    allowed: WithinQuotas,
    provisional: Mapping[str, Sequence[Hold]],
    capacity: Mapping[str, int],
    prices: LeftPrices = NO_PRICES,
) -> dict[str, Any]:
    """What is stored of a wave beside its row and its runs; what is empty is left out."""
    deliveries: dict[str, dict[str, list[tuple[str, str, int]]]] = {}
    for demand in allowed.demands:
        order_id, _, number = demand.order.rpartition("#")
        deliveries.setdefault(order_id, {})[number] = [(line.line, line.sku, line.quantity) for line in demand.lines]
    orders = []
    for entry in entries:
        one: dict[str, Any] = {
            "order": entry.order_id,
            "attempt": entry.attempt,
            "version": entry.source_version,
            "deliveries": deliveries.get(entry.order_id, {}),
        }
        if rejecting := entry.rejecting_nodes():
            one["rejected_by"] = sorted(rejecting)
        if kits := kits_of(entry):
            one["kits"] = kits
        if own := provisional.get(entry.order_id):
            one["provisional"] = [(hold.sku, hold.node, hold.pending) for hold in own]
        orders.append(one)
    document: dict[str, Any] = {"version": VERSION, "orders": orders}
    if allowed.cuts:
        document["cuts"] = [
            (name, cut.line, cut.sku, cut.missing, cut.code, cut.wanted)
            for name, cuts in allowed.cuts.items()
            for cut in cuts
        ]
    if capacity:
        document["capacity"] = dict(capacity)
    if allowed.emptied:
        document["emptied"] = [demand.order for demand in allowed.emptied]
    if prices.wave:
        document["paid"] = prices.wave
    return document


def store_wave(tx: Transaction, solved: Solved, policy_sha256: str, network_version: int) -> None:
    """Keep a wave of which something was recorded."""
    row = (
        solved.wave,
        solved.solver,
        policy_sha256,
        network_version,
        solved.stock_sha256,
        to_json({**solved.document, "runs": [run._asdict() for run in solved.runs]}).decode(),
        solved.at_us,
    )
    tx.insert_tuples(tables.wave, _COLUMNS, [row])
    if solved.leaves is not None:
        left = solved.leaves
        tx.insert_tuples(tables.wave_prices, _PRICES, [(solved.wave, left.sha256, left.document)])


def last_prices(tx: Transaction, known: LeftPrices = NO_PRICES) -> LeftPrices:
    """What the last wave that made prices left, as this transaction sees it; `known` again where that is the one."""
    prices = tables.wave_prices.c
    query = select(prices.wave, prices.sha256).where(prices.pool_id == tx.pool).order_by(prices.wave.desc()).limit(1)
    last = tx.connection.execute(query).first()
    if last is None:
        return NO_PRICES
    if (known.wave, known.sha256) == (last.wave, last.sha256):
        return known
    return prices_of(tx, last.wave) or NO_PRICES


def prices_of(tx: Transaction, wave: str) -> LeftPrices | None:
    """What that wave left; None where it left nothing, or is not there."""
    rows = tx.select(tables.wave_prices, _PRICES, ("wave",), [(wave,)])
    return LeftPrices.parse(wave, rows[0].document) if rows else None


def runs_of_waves(tx: Transaction) -> list[Solve]:
    """What the solver's runs came to, in the order of the waves; those of waves stored without them are left out."""
    wave = tables.wave.c
    query = select(wave.document).where(wave.pool_id == tx.pool).order_by(wave.wave)
    documents = tx.connection.execute(query).scalars()
    return [Solve(**run) for document in documents for run in json.loads(document).get("runs", ())]


def read_wave(tx: Transaction, wave: str) -> Wave | None:
    """The wave of that id."""
    rows = tx.select(tables.wave, _COLUMNS, ("wave",), [(wave,)])
    return _wave(rows[0]) if rows else None


def waves_between(tx: Transaction, since: datetime | None, until: datetime | None) -> list[Wave]:
    """The waves decided from `since` until before `until`, in the order in which they were solved; None: all."""
    wave = tables.wave.c
    query = select(*(wave[name] for name in _COLUMNS)).where(wave.pool_id == tx.pool)
    if since is not None:
        query = query.where(wave.decided_at_us >= to_us(since))
    if until is not None:
        query = query.where(wave.decided_at_us < to_us(until))
    return [_wave(row) for row in tx.connection.execute(query.order_by(wave.wave))]


def _wave(row: Any) -> Wave:
    document = json.loads(row.document)
    cuts: dict[str, list[LineShortfall]] = {}
    for name, line, sku, missing, code, wanted in document.get("cuts", ()):
        why = Refusal.of(code, sku=sku, missing=missing, wanted=wanted).sentence
        cuts.setdefault(name, []).append(LineShortfall(line, sku, missing, code, why, wanted))
    return Wave(
        wave=row.wave,
        policy_sha256=row.policy_sha256,
        network_version=row.network_version,
        stock_sha256=row.stock_sha256,
        decided_at=from_us(row.decided_at_us),
        solver=row.solver,
        orders=tuple(_orders(document["orders"])),
        cuts=cuts,
        emptied=tuple(document.get("emptied", ())),
        capacity=document.get("capacity", {}),
        paid=document.get("paid", ""),
    )


def _orders(documents: Iterable[Mapping[str, Any]]) -> Iterable[WaveOrder]:
    for one in documents:
        yield WaveOrder(
            order=one["order"],
            attempt=one["attempt"],
            source_version=one["version"],
            deliveries={
                int(number): [(line, sku, units) for line, sku, units in lines]
                for number, lines in one["deliveries"].items()
            },
            rejected_by=tuple(one.get("rejected_by", ())),
            kits={line: Kit(sku, recipe) for line, (sku, recipe) in one.get("kits", {}).items()},
            provisional=tuple((sku, node, units) for sku, node, units in one.get("provisional", ())),
        )
