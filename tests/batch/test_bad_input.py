"""What cannot be used is named with its line and leaves nothing behind; everything else goes on."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

from omo_core.batch.files import MAX_LINE_BYTES, read_columns
from omo_core.channels.native import NativeAdapter
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.testing.writers import (
    write_amazon_notification,
    write_amazon_order,
    write_native_counter_sale,
    write_native_order,
)
from tests.batch.shop import Shop, at, decisions, order, sale

GOOD = order(1)
TO_TAIPEI = {"method": "ship", "address": {"recipient": "Ann", "street": ["1 Main Street"]}}


def reasons(shop: Shop) -> list[str]:
    with (shop.folder / "out" / "rejected.csv").open(newline="") as rows:
        return [row["reason"] for row in csv.DictReader(rows)]


ROWS: list[tuple[Any, str]] = [
    (order(2, quantity=0), "unreadable_body"),
    (order(2, quantity=-1), "unreadable_body"),
    (order(2, quantity=1.5), "unreadable_body"),
    (order(2, quantity=10**12), "unreadable_body"),
    (order(2, lines=[]), "unreadable_body"),
    (order(2, sku="NOPE"), "unknown_sku"),
    (order(2, delivery={"method": "pickup", "pickup_node": "NOWHERE"}), "unknown_node"),
    (order(2, currency="XXX"), "invalid_money"),
    (order(2, lines=[{"sku": "MUG", "quantity": 1, "unit_price": 9.5}]), "invalid_money"),
    (json.dumps(order(2)).replace('"MUG"', "NaN"), "unreadable_body"),
    (json.dumps(order(2)).replace('{"type"', '{"type": "order", "type"'), "unreadable_body"),
    (order(2, quantity=2) | {"external_id": "1", "placed_at": GOOD["placed_at"]}, "version_conflict"),
    (sale(2, sku="NOPE"), "unknown_sku"),
    (sale(3, node="NOWHERE"), "unknown_node"),
    (sale(2, quantity=0), "unreadable_body"),
    ("no JSON", "unreadable_body"),
    ('{"headers": {}, "body": "{}"}', "unreadable_body"),
    ('{"channel": "web", "headers": {"a": 1}, "body": "{}"}', "unreadable_body"),
    ('{"channel": "nobody", "headers": {}, "body": "{}"}', "unknown_channel"),
    ("[" * 100_000 + '"headers" "body"', "unreadable_body"),
]


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """All the bad rows between two good ones, in one run."""
    shop = Shop(tmp_path_factory.mktemp("spoilt"))
    shop.write_orders([GOOD, *(row for row, _ in ROWS), "", order(90)])
    shop.run()
    return shop


def test_every_bad_row_is_named_by_line_and_code(spoilt: Shop) -> None:
    assert spoilt.rejected() == [("orders.jsonl", line, code) for line, (_, code) in enumerate(ROWS, start=2)]


def test_every_reason_says_what_to_do(spoilt: Shop) -> None:
    for reason in reasons(spoilt):
        assert any(word in reason for word in (";", "Use ", "raise ", "add ", "load ")), reason
        assert len(reason) < 400


def test_bad_rows_leave_nothing_behind(spoilt: Shop, shop: Shop) -> None:
    shop.write_orders([GOOD, order(90)])
    shop.run()
    assert decisions(spoilt.database) == decisions(shop.database)
    assert len(decisions(shop.database)["served"]) == 2


def test_the_same_receipt_with_other_goods_is_refused(shop: Shop) -> None:
    shop.write_orders([sale(1), sale(1), sale(1, quantity=2)])
    outcome = shop.run()
    assert shop.rejected() == [("orders.jsonl", 3, "key_reused")]
    assert outcome.summary.totals.counter_lines == 1


@pytest.mark.slow
def test_a_line_without_end_is_passed_over(shop: Shop) -> None:
    long = json.dumps(order(2) | {"note": "x" * (2 * MAX_LINE_BYTES)})
    shop.write_orders([GOOD, long, order(3)])
    assert shop.run().summary.totals.orders == 2
    assert shop.rejected() == [("orders.jsonl", 2, "body_too_large")]


def test_bad_stock_rows_are_named_and_the_others_received(shop: Shop) -> None:
    quantities = ["0", "-1", "1.5", "1e3", "", "１２", "9" * 5_000, str(10**9 + 1), " 7 "]
    rows: list[tuple[str, ...]] = [("MUG", "WH", text) for text in quantities]
    rows += [("", "WH", "1"), ("MUG", "", "1"), ("NOPE", "WH", "1"), ("MUG", "NOWHERE", "1"), ("MUG", "TPE", "1", "2")]
    shop.write_stock(rows)
    shop.write_orders([GOOD])
    shop.run()
    codes = ["invalid_quantity"] * 7 + ["missing_value"] * 2
    wrong = [("stock.csv", line, code) for line, code in zip([3, 4, 5, 6, 7, 8, 9, 11, 12], codes, strict=True)]
    assert sorted(shop.rejected()) == sorted(
        [
            *wrong,
            ("stock.csv", 13, "unknown_sku"),
            ("stock.csv", 14, "unknown_node"),
            ("stock.csv", 15, "unreadable_row"),
        ]
    )
    with OrderHub.open(shop.database) as hub:
        assert sum(level.on_hand for level in hub.stock.levels_of(["MUG"])) == 7 - 1


def test_forged_envelopes_are_refused_and_signed_ones_pass(shop: Shop) -> None:
    native = NativeAdapter()
    placed = native.parse_order(json.dumps(order(1)).encode())
    sold = native.parse_event({}, json.dumps(sale(2)).encode()).counter_sale
    assert sold is not None
    signed = [write_native_order(placed, secret="right"), write_native_counter_sale(sold, secret="right")]
    forged = write_native_order(placed.model_copy(update={"external_id": "F"}), secret="wrong")
    shop.write_channels({"web": {"adapter": "native", "config": {"channel": "web", "secrets": ["right"]}}})
    shop.write_orders(
        {"channel": "web", "headers": headers, "body": body.decode()} for headers, body in [forged, *signed]
    )
    totals = shop.run().summary.totals
    assert shop.rejected() == [("orders.jsonl", 1, "forged_signature")]
    assert (totals.orders, totals.counter_sales) == (1, 1)


def test_a_message_that_only_names_an_order_brings_its_documents(shop: Shop) -> None:
    priced = [{"line": "1", "sku": "MUG", "quantity": 2, "unit_price": "9.50"}]
    document = order(1, lines=priced, amounts={"total": "19.00"}, payment="authorised", delivery=TO_TAIPEI)
    placed = NativeAdapter().parse_order(json.dumps(document).encode())
    number = "902-3159896-1390916"
    placed = placed.model_copy(update={"channel": "amazon", "external_id": number, "display_number": number})
    headers, body = write_amazon_notification(placed, secret="right")
    message = {"channel": "amazon", "headers": headers, "body": body.decode()}
    shop.write_channels({"amazon": {"adapter": "amazon", "config": {"secrets": ["right"]}}})
    wrong: list[Any] = [["{}"], ["nothing"], [1], "text", []]
    for documents in wrong:
        shop.write_orders([{**message, "documents": documents}])
        assert shop.run().summary.totals.orders == 0
        assert [code for _, _, code in shop.rejected()] == ["unreadable_body" if documents else "not_inside"]
    shop.write_orders([{**message, "documents": [one.decode() for one in write_amazon_order(placed)]}])
    assert shop.run().summary.totals.orders == 1
    assert shop.rejected() == []


@pytest.mark.slow
def test_corrected_secrets_let_the_same_file_in(shop: Shop) -> None:
    placed = NativeAdapter().parse_order(json.dumps(order(1)).encode())
    headers, body = write_native_order(placed, secret="right")
    shop.write_orders([{"channel": "web", "headers": headers, "body": body.decode()}])
    for secret, orders in (("wrong", 0), ("right", 1)):
        shop.write_channels({"web": {"adapter": "native", "config": {"channel": "web", "secrets": [secret]}}})
        assert shop.run().summary.totals.orders == orders


CSV_HEADER = ("Order", "When", "Article", "Pieces", "City")


def test_orders_as_csv_with_their_own_column_names(shop: Shop) -> None:
    """Rows of one order stand together; a bad row takes its whole order with it, never half of one."""
    shop.orders = "orders.csv"
    shop.columns = read_columns(
        ["external_id=Order", "placed_at=When", "orders.sku=Article", "orders.quantity=Pieces", "city=City"]
    )
    rows: list[tuple[Any, ...]] = [
        ("A", at(1), "MUG", 1, "Taipei, East"),
        ("A", at(1), "CUP", 2, ""),
        ("B", at(2), "MUG", "1.5", "Taipei"),
        ("C", at(3), "MUG", 1, "Taipei"),
        ("C", at(3), "CUP", 1, "Taipei", "too much"),
        ("D", at(4), "CUP", 0, "Taipei"),
        ("E", "yesterday", "CUP", 1, "Taipei"),
        ("F", at(6), "NOPE", 1, "Taipei"),
        ("G", at(7), "CUP", 1, ""),
    ]
    shop.write_csv("orders.csv", rows, CSV_HEADER)
    outcome = shop.run()
    assert shop.rejected() == [
        ("orders.csv", 4, "unreadable_body"),
        ("orders.csv", 6, "unreadable_row"),
        ("orders.csv", 7, "unreadable_body"),
        ("orders.csv", 8, "unreadable_body"),
        ("orders.csv", 9, "unknown_sku"),
    ]
    assert (outcome.summary.totals.orders, outcome.summary.totals.lines, outcome.summary.totals.units) == (2, 3, 4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["sku"], "'sku' is no column mapping; write OURS=THEIRS, for example sku=Article"),
        (["=Article"], "'=Article' is no column mapping"),
        (["skuu=Article"], "'skuu=Article' names no column of ours; map one of: node, external_id"),
        (["stock.placed_at=When"], "'stock.placed_at=When' names no column of ours"),
        (["shelf.sku=When"], "'shelf.sku=When' names no column of ours"),
    ],
)
def test_a_mapping_that_maps_nothing_is_refused(options: list[str], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_columns(options)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("content", "columns", "sentence"),
    [
        ("article,node,quantity\nMUG,WH,1\n", {}, "has no column sku (it has: article, node, quantity); map it"),
        ("sku,node,quantity\nMUG,WH,1\n", {"stock.sku": "Art"}, "has no column Art"),
        ("sku,node,sku,quantity\nMUG,WH,MUG,1\n", {}, "has two columns sku; rename one"),
        ("", {}, "has no column sku, node, quantity (it has: none)"),
        ('sku,node,quantity\nMUG,WH,1\n"MUG,WH,1\n', {}, "is not CSV in UTF-8 after line 2"),
    ],
)
def test_a_stock_file_that_cannot_be_read_stops_the_run_before_it_begins(
    content: str, columns: dict[str, str], sentence: str, shop: Shop
) -> None:
    (shop.folder / "stock.csv").write_text(content)
    shop.columns = columns
    shop.write_orders([GOOD])
    with pytest.raises(InvalidInput) as caught:
        shop.run()
    assert sentence in str(caught.value)
    with OrderHub.open(shop.database) as hub:
        assert hub.audit().counted["omo_posting"] == 0


def test_one_mapping_may_mean_the_file_that_has_such_a_header(shop: Shop) -> None:
    shop.write_stock([("MUG", "WH", 3)], header=("Article", "node", "quantity"))
    shop.orders = "orders.csv"
    shop.write_csv("orders.csv", [("A", at(1), "MUG", 2)], ("external_id", "placed_at", "sku", "quantity"))
    shop.columns = read_columns(["sku=Article"])
    assert shop.run().summary.totals.units_assigned == 2


@pytest.mark.slow
def test_native_orders_may_stand_in_one_document(shop: Shop) -> None:
    shop.orders = "orders.json"
    for number, document in enumerate(([order(1), order(2)], {"orders": [order(3)]}, order(4))):
        (shop.folder / "orders.json").write_text(json.dumps(document, indent=1))
        assert shop.run(out=f"out{number}").summary.rejected_rows_total == 0
    with OrderHub.open(shop.database) as hub:
        assert len(hub.orders.page()) == 4
