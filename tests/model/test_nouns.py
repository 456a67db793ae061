"""Nodes, items, orders and refusals: what they hold, and what they refuse to be."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import (
    FULFILMENT_TRANSITIONS,
    ORDER_TRANSITIONS,
    FulfilmentState,
    OrderState,
)
from omo_core.model.items import Item
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind, OpeningHours
from omo_core.model.orders import Delivery, LineAmounts, Order, OrderAmounts, OrderLine
from omo_core.model.refusals import REFUSAL_SENTENCES, Refusal
from omo_core.model.stock import HOLD_TRANSITIONS, HoldState, Level

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "channel": "shop",
        "external_id": "1",
        "source_version": 1,
        "placed_at": NOON,
        "updated_at": NOON,
        "currency": "USD",
        "lines": (OrderLine(line="1", sku="A", quantity=2, current_quantity=2),),
        "deliveries": (Delivery(),),
    }
    return Order(**{**values, **changes})


def test_a_shop_is_open_by_its_own_wall_clock_also_on_the_day_the_clock_changes() -> None:
    sunday = OpeningHours(weekday=6, opens_s=9 * 3600, closes_s=17 * 3600)
    shop = Node(node="NYC", kind=NodeKind.STORE, time_zone="America/New_York", opening_hours=(sunday,))
    # On 8 March 2026 New York goes from UTC-5 to UTC-4 at 02:00: nine o'clock is 13:00 UTC, not 14:00.
    assert not shop.is_open(datetime(2026, 3, 8, 12, 59, 59, tzinfo=UTC))
    assert shop.is_open(datetime(2026, 3, 8, 13, tzinfo=UTC))
    assert not shop.is_open(datetime(2026, 3, 8, 21, tzinfo=UTC))
    assert shop.is_open(datetime(2026, 3, 1, 14, tzinfo=UTC))
    assert not shop.is_open(datetime(2026, 3, 1, 13, tzinfo=UTC))


def test_a_node_without_hours_never_closes() -> None:
    assert Node(node="DC", kind=NodeKind.CENTRAL_WAREHOUSE).is_open(NOON)


def test_an_interval_ends_after_it_begins() -> None:
    with pytest.raises(ValidationError, match="write an interval over midnight as two"):
        OpeningHours(weekday=0, opens_s=80_000, closes_s=10_000)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="not an IANA time zone"):
        Node(node="X", kind=NodeKind.STORE, time_zone="Mars/Olympus")


def test_a_network_lists_each_id_once_and_reads_its_own_json() -> None:
    shop = Node(node="S", kind=NodeKind.STORE)
    network = Network(currency="USD", nodes=(shop,), items=(Item(sku="A"),))
    assert Network.model_validate_json(network.model_dump_json()) == network
    with pytest.raises(ValidationError, match="node 'S' is listed twice"):
        Network(currency="USD", nodes=(shop, shop))
    with pytest.raises(ValidationError, match="sku 'A' is listed twice"):
        Network(currency="USD", nodes=(shop,), items=(Item(sku="A"), Item(sku="A")))


def test_units_convert_exactly_or_not_at_all() -> None:
    item = Item(sku="EGG", units={"dozen": 12})
    assert item.in_base_units(3, "dozen") == 36
    assert item.in_base_units(1, "dozen", denominator=2) == 6
    with pytest.raises(InvalidInput, match="no whole number of each"):
        item.in_base_units(1, "dozen", denominator=5)
    with pytest.raises(InvalidInput, match="use one of: each, dozen"):
        item.in_base_units(1, "crate")


def test_an_order_reads_its_own_json() -> None:
    first = order()
    assert Order.model_validate_json(first.model_dump_json()) == first


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lines": ()}, "at least 1 item"),
        ({"lines": (OrderLine(line="1", sku="A", quantity=1, current_quantity=1),) * 2}, "line ids must be unique"),
        ({"lines": (OrderLine(line="1", sku="A", quantity=1, current_quantity=1, delivery=1),)}, "index into"),
        ({"currency": "DOLLAR"}, "ISO 4217"),
        ({"source_version": -1}, "greater than or equal to 0"),
    ],
)
def test_an_inconsistent_order_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        order(**changes)


def test_lines_that_say_their_gross_must_agree_with_the_order() -> None:
    amounts = LineAmounts(list_unit_price_minor=500, gross_minor=1_000)
    lines = (OrderLine(line="1", sku="A", quantity=2, current_quantity=2, amounts=amounts),)
    good = OrderAmounts(taxes_included=True, line_gross_minor=1_000, total_minor=1_000)
    assert order(lines=lines, amounts=good).amounts == good
    with pytest.raises(ValidationError, match="lines add to 1000"):
        order(lines=lines, amounts=OrderAmounts(taxes_included=True, line_gross_minor=999, total_minor=999))


def test_the_imbalance_says_by_how_much_money_does_not_add_up() -> None:
    parts = {"line_gross_minor": 1_000, "discount_minor": 100, "shipping_minor": 50, "tax_minor": 90, "tip_minor": 7}
    excluded = OrderAmounts(taxes_included=False, total_minor=1_047, **parts)
    included = OrderAmounts(taxes_included=True, total_minor=1_000, **parts)
    assert (excluded.imbalance_minor, included.imbalance_minor) == (0, 43)


def test_only_physical_lines_with_an_item_and_units_left_are_fulfilled() -> None:
    lines = (
        OrderLine(line="goods", sku="A", quantity=2, current_quantity=1),
        OrderLine(line="gift card", sku="G", quantity=1, current_quantity=1, physical=False),
        OrderLine(line="removed", sku="B", quantity=1, current_quantity=0),
        OrderLine(line="custom", sku=None, quantity=1, current_quantity=1),
    )
    assert [line.line for line in order(lines=lines).fulfillable()] == ["goods"]


def test_a_pickup_names_where() -> None:
    with pytest.raises(ValidationError, match="names its pickup_node"):
        Delivery(method=DeliveryMethod.PICKUP)


def test_a_line_keeps_no_more_than_was_ordered() -> None:
    with pytest.raises(ValidationError, match="current_quantity cannot exceed"):
        OrderLine(line="1", sku="A", quantity=1, current_quantity=2)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_part_of_an_order_is_checked_as_plain_data_and_as_a_copy(kept: int) -> None:
    too_many = OrderLine(line="2", sku="A", quantity=1, current_quantity=kept).model_copy(
        update={"current_quantity": 2}
    )
    nowhere = Delivery().model_copy(update={"method": DeliveryMethod.PICKUP})
    for update, says in (
        ({"lines": (too_many,)}, "current_quantity cannot exceed"),
        ({"deliveries": (nowhere,)}, "names its pickup_node"),
    ):
        plain = order().model_copy(update=update).model_dump_json()
        with pytest.raises(ValidationError, match=says):
            Order.model_validate_json(plain)
        with pytest.raises(ValidationError, match=says):
            order(**update)


@pytest.mark.parametrize("code", sorted(REFUSAL_SENTENCES))
def test_every_refusal_fills_its_sentence(code: str) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(REFUSAL_SENTENCES[code]) if name]
    refusal = Refusal.of(code, **dict.fromkeys(names, "x7"))
    assert refusal.code == code
    assert refusal.sentence.endswith(".")
    assert "{" not in refusal.sentence


def test_an_uncatalogued_refusal_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Refusal.of("no_such_code")


def test_every_state_has_a_row_in_its_transition_table() -> None:
    assert set(HOLD_TRANSITIONS) == set(HoldState)
    assert set(ORDER_TRANSITIONS) == set(OrderState)
    assert set(FULFILMENT_TRANSITIONS) == set(FulfilmentState)


def test_nothing_is_available_from_a_halted_or_overdrawn_row() -> None:
    row: dict[str, Any] = {"sku": "A", "node": "S", "version": 1}
    assert Level(**row, on_hand=5, reserved=2, safety=1).available == 2
    assert Level(**row, on_hand=5, reserved=2, safety=9).available == 0
    assert Level(**row, on_hand=5, reserved=0, halted=True).available == 0
