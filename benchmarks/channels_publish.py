"""How long it takes to tell eight channels what can be sold of 100,000 items each: at first, and after a few sales."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from benchmarks.harness import Context, seconds_of
from benchmarks.reservations_sites import Site, sites
from omo_core import OrderHub
from omo_core.channels.intents import Answer, Capabilities, Intent, IntentKind, ItemAnswer, SetStock, StockMode
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.exchange import Listing, Publication, Published
from omo_core.inventory import availability_deltas
from omo_core.inventory.publication import told_units
from omo_core.model.availability import PublicationRule
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import SELLABLE, CounterSale, Demand
from omo_core.storage import tables

SIZES: Final = {"smallest": (2_000, 40, 1), "default": (100_000, 2_000, 3), "all": (100_000, 2_000, 5)}
"""Items, each with one listing on every channel; items sold between two rounds; rounds."""
NODES: Final = ("NEAR", "FAR")
CHANNELS: Final = tuple(f"channel-{number}" for number in range(8))
RULES: Final[Mapping[str, dict[str, Any]]] = {
    "channel-1": {"buffer": 2},
    "channel-2": {"buffer_permille": 100},
    "channel-3": {"cap": 50},
    "channel-4": {"round_to": 2},
    "channel-5": {"buffer": 1, "cap": 20},
    "channel-6": {"min_change": 2, "exact_below": 60},
    "channel-7": {"buffer_permille": 50, "round_to": 5},
}
"""What differs from telling everything."""


class Shop(NativeAdapter):
    """Takes a thousand absolute levels a call."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset({IntentKind.SET_STOCK}), stock_modes=frozenset({StockMode.ABSOLUTE}), stock_batch=1_000
    )


class Shelf:
    """A channel that takes everything at once and shows it, so that only our own work is timed."""

    def __init__(self) -> None:
        self.shown: dict[str, int] = {}

    def send(self, intent: Intent) -> tuple[Answer, ...]:
        assert isinstance(intent, SetStock)
        self.shown.update((level.listing, level.units) for level in intent.levels)
        return (Answer(items=tuple(ItemAnswer(item=level.listing, ok=True) for level in intent.levels)),)


class Stand:
    """One engine's pool with its eight channels."""

    def __init__(self, hub: OrderHub, items: int, seed: int) -> None:
        self.hub, self.items = hub, items
        self.draw = random.Random(seed)
        self.skus = [f"SKU-{1_000_000 + number}" for number in range(items)]
        self.shelves = {channel: Shelf() for channel in CHANNELS}
        listings = {sku: Listing(listing=sku[4:]) for sku in self.skus}
        self.publications = {
            channel: Publication(
                adapter=Shop(NativeConfig(channel=channel)),
                rule=PublicationRule(channel=channel, **RULES.get(channel, {})),
                listings=listings,
                run=hub.run,
            )
            for channel in CHANNELS
        }
        self._load()

    def deltas(self) -> int:
        """How many numbers the eight channels must be told now; nothing is written."""

        def count(tx: Any, rule: PublicationRule) -> int:
            return len(availability_deltas(tx, rule))

        return sum(
            self.hub.run(lambda tx, rule=one.rule: count(tx, rule), read_only=True)  # type: ignore[misc]
            for one in self.publications.values()
        )

    def round(self) -> int:
        """One round of every channel, one after the other; how many numbers were told."""
        told = 0
        for channel, publication in self.publications.items():
            found = publication.round(self.shelves[channel])
            assert isinstance(found, Published)
            assert (found.refused, found.waiting, found.unlisted) == ((), 0, 0), found
            told += found.told
        return told

    def sell(self, items: int, key: str) -> None:
        """Sell one unit each of so many items."""
        lines = tuple(Demand(sku=sku, node="NEAR", quantity=1) for sku in sorted(self.draw.sample(self.skus, items)))
        assert self.hub.stock.apply(CounterSale(key=key, lines=lines)).applied

    def versions(self) -> dict[tuple[str, str], int]:
        """(channel, sku) → version of the row that says what was told."""
        sql = "SELECT channel, sku, version FROM omo_published"
        rows = self.hub.run(lambda tx: tx.connection.exec_driver_sql(sql).all(), read_only=True)
        return {(channel, sku): version for channel, sku, version in rows}

    def require_true(self) -> None:
        """Raise unless every channel shows what its rule makes of what the pool can promise, save changes too small to tell."""
        sql = "SELECT sku, sum(on_hand) FROM omo_stock GROUP BY sku"
        units = self.hub.run(lambda tx: tx.connection.exec_driver_sql(sql).all(), read_only=True)
        for channel, publication in self.publications.items():
            rule, shown = publication.rule, self.shelves[channel].shown
            off = [abs(shown[sku[4:]] - told_units(rule, int(summed))) for sku, summed in units]
            assert len(shown) == len(off)
            assert max(off) < rule.min_change, f"{channel} shows something else"

    def _load(self) -> None:
        nodes = tuple(Node(node=node, kind=NodeKind.STORE) for node in NODES)
        self.hub.network.load(Network(currency="USD", nodes=nodes, items=tuple(Item(sku=sku) for sku in self.skus)))
        names = ("sku", "node", "condition", "on_hand", "reserved", "safety", "shortage", "version", "halted")
        rows = [
            (sku, node, SELLABLE, self.draw.randrange(20, 60), 0, 0, 0, 1, 0, 0)
            for sku in self.skus
            for node in sorted(NODES)
        ]
        self.hub.run(lambda tx: tx.insert_tuples(tables.stock, (*names, "safety_permille"), rows))
        self.analyse()

    def analyse(self) -> None:
        """Give PostgreSQL the statistics that it makes by itself within a minute; it is not waited for here."""
        if self.hub.database.engine.dialect.name == "postgresql":
            with self.hub.database.connection() as connection:
                connection.exec_driver_sql("ANALYZE")


def measure(context: Context) -> None:
    """Publish at first and after sales on both engines, and check what the channels show and which rows were touched."""
    figures: dict[str, list[float]] = {}
    with sites() as engines:
        for site in engines:
            with _stand(site, context) as stand:
                for name, seconds in _measured(context, site.engine, stand).items():
                    context.figure(f"{name.removesuffix('_s')}_{site.engine}_s", seconds)
                    figures.setdefault(name, []).append(seconds)
    # The target is of the slower engine.
    for name, both in figures.items():
        context.figure(name, max(both))


def _measured(context: Context, engine: str, stand: Stand) -> dict[str, float]:
    items, sold, rounds = SIZES[context.size]
    told: list[int] = []
    expected = 0
    first_deltas = context.record(
        f"{engine}: first deltas", seconds_of(lambda: told.append(stand.deltas())), items=items, channels=len(CHANNELS)
    )
    assert told.pop() == items * len(CHANNELS)
    first = context.record(
        f"{engine}: first publication", seconds_of(lambda: told.append(stand.round())), items=items, told=items * 8
    )
    assert told.pop() == items * len(CHANNELS)
    stand.require_true()
    stand.analyse()
    seconds: dict[str, list[float]] = {"deltas": [], "round": [], "idle": []}
    for number in range(rounds):
        stand.sell(sold, f"sale/{number}")
        was = stand.versions()
        seconds["deltas"].append(seconds_of(lambda: told.append(stand.deltas())))
        expected = told.pop()
        seconds["round"].append(seconds_of(lambda: told.append(stand.round())))
        _require_only_changes(was, stand.versions(), told.pop(), expected)
        stand.require_true()
        seconds["idle"].append(seconds_of(lambda: told.append(stand.round())))
        assert told.pop() == 0
    best = {
        name: context.record(f"{engine}: {name} after {sold} sales", *found, items=items, told=expected).best_s
        for name, found in seconds.items()
    }
    return {
        "publish_100k_s": best["round"],
        "publish_100k_deltas_s": best["deltas"],
        "publish_100k_unchanged_s": best["idle"],
        "publish_100k_first_s": first.best_s,
        "publish_100k_first_deltas_s": first_deltas.best_s,
    }


def _require_only_changes(
    was: Mapping[tuple[str, str], int], now: Mapping[tuple[str, str], int], told: int, expected: int
) -> None:
    """Every row that was told has two new versions, being sent and taken; every other row is as it was."""
    steps = Counter(now[key] - version for key, version in was.items())
    assert len(now) == len(was)
    assert told == expected
    assert steps == Counter({2: told, 0: len(was) - told}), steps


@contextmanager
def _stand(site: Site, context: Context) -> Iterator[Stand]:
    with OrderHub.open(site.empty("publish")) as hub:
        yield Stand(hub, SIZES[context.size][0], context.seed)
    site.drop("publish")
