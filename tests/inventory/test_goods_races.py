"""Threads that count, ship, receive and announce at once: no unit is shipped twice, none arrives twice."""

from __future__ import annotations

from datetime import timedelta

from omo_core.inventory.inbound import inbound_of
from omo_core.inventory.transfers import transfers_of
from omo_core.model.stock_commands import StockCommand
from tests.inventory.conftest import POOL, Shop, place, receive, sell
from tests.inventory.goods import arrive, bring_back, close, count, expect, places, rows, ship, unpack
from tests.inventory.test_races import ON_POSTGRES, WITH_WRITERS, each_alone, together


@WITH_WRITERS
def test_the_last_units_are_shipped_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    answers = together(
        *(
            each_alone(shop, [ship(f"s{n}", ("MUG", 1), transfer=f"T{n}"), place(f"p{n}", ("MUG", "TPE", 1))])
            for n in range(5)
        )
    )
    assert sum(answer.applied for one in answers for answer in one) == 5
    on_hand, reserved, *_ = shop.counters()
    assert on_hand == reserved
    assert places(shop).get("transit", 0) == 5 - on_hand


@ON_POSTGRES
def test_one_id_is_one_transfer_whoever_ships_it(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5), ("BOWL", "TPE", 5), ("VASE", "KHH", 5)))
    routes = [("MUG", ("TPE", "KHH")), ("BOWL", ("TPE", "KHH")), ("VASE", ("KHH", "TPE"))]
    answers = together(*(each_alone(shop, [ship(sku, (sku, 1), route=route)]) for sku, route in routes))
    assert sorted(answer.refusals[0].code if answer.refusals else "" for (answer,) in answers) == [
        "",
        "transfer_exists",
        "transfer_exists",
    ]


@WITH_WRITERS
def test_arrivals_and_the_closing_of_a_transfer_add_up(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)), ship("s", ("MUG", 9)))
    commands: list[StockCommand] = [arrive(f"a{n}", ("MUG", 3)) for n in range(4)]
    together(*(each_alone(shop, [command]) for command in (*commands, close("c"))))
    (moved,) = shop.database.read(POOL, lambda tx: transfers_of(tx, ["T"]))
    (line,) = moved.lines
    assert (line.in_transit, line.received, line.lost, line.extra) == (0, 9, 0, 3)
    assert places(shop) == {"stock": 12, "supplier": -9, "adjustment": -3}


@ON_POSTGRES
def test_receipts_and_announcements_of_one_line_all_count(shop: Shop) -> None:
    tomorrow = shop.clock.now() + timedelta(days=1)
    together(
        each_alone(shop, [expect("e", tomorrow, ("MUG", 10))]),
        *(each_alone(shop, [unpack(f"u{n}", ("MUG", "TPE", 1)), unpack(f"v{n}", ("MUG", "TPE", 1))]) for n in range(3)),
    )
    (line,) = shop.database.read(POOL, lambda tx: inbound_of(tx, [("ASN", "TPE")]))
    assert (line.expected, line.received, line.due) == (10, 6, 4)


@WITH_WRITERS
def test_counts_among_sales_leave_a_sound_book(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 30)))
    for n in range(3):
        shop.apply(place(f"p{n}", ("MUG", "TPE", 3)))
    together(
        *(each_alone(shop, [sell(f"s{n}/{m}", ("MUG", "TPE", 1)) for m in range(6)]) for n in range(2)),
        each_alone(shop, [bring_back(f"b{m}", ("MUG", "TPE", 1, "sellable")) for m in range(6)]),
        each_alone(shop, [count(f"c{m}", ("MUG", "TPE", 6)) for m in range(4)]),
    )
    # The clock stands still: so every count is of the same instant, and the last one stands with what moved behind it.
    # Goods that come back after a sale that found too little stand beside its shortage, until somebody counts again.
    on_hand, reserved, _, _ = shop.counters()
    assert on_hand >= reserved
    shop.clock.advance(timedelta(hours=1))
    shop.apply(count("last", ("MUG", "TPE", 6)))
    on_hand, reserved, _, shortage = shop.counters()
    assert (on_hand, shortage) == (6, 0)
    assert reserved <= on_hand
    assert rows(shop, "SELECT count(*) FROM omo_reading") == [(1,)]
