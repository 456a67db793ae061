"""Every published WooCommerce payload beside this repository is read, or refused with a reason."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from omo_core.channels.woocommerce import WooCommerceAdapter, WooCommerceConfig
from omo_core.model.errors import ForgedSignature, UnreadableBody
from omo_core.model.values import parse_minor
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = WooCommerceAdapter(WooCommerceConfig(currency="USD", site="https://shop.example"))

# file -> (order, status, payment, quantities, refunded, hold reason) of each; the money of all of them adds up
ORDERS: dict[str, list[tuple[str, str, str, list[int], list[int], str | None]]] = {
    "docs_order_create.json": [("727", "open", "paid", [2, 1], [], None)],
    "docs_order_update_completed.json": [("727", "closed", "paid", [2, 1], [], None)],
    "docs_orders_batch.json": [
        ("728", "open", "pending", [1, 1, 1], [], "pending"),
        ("729", "open", "paid", [1, 1], [], None),
        ("727", "closed", "paid", [2, 1], [], None),
    ],
    "docs_orders_list.json": [
        ("727", "open", "paid", [2, 1], [], None),
        ("723", "closed", "partially_refunded", [1, 1], [1000, 900], None),
    ],
}

# file -> the reason it is no order; the second of them is a refund
NO_ORDERS: dict[str, str] = {
    "docs_order_note.json": "$ begins with 'id' and has no id, status and line_items",
    "docs_refund_create.json": "$ begins with 'id' and has no id, status and line_items",
    "docs_webhook_create.json": "$ begins with 'id' and has no id, status and line_items",
}


def body_of(name: str) -> bytes:
    return (FACTS / "samples" / "woocommerce" / name).read_bytes()


def test_the_tables_name_every_sample_once(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "woocommerce").iterdir()}
    assert {name for name in files if not name.endswith(".source.txt")} == ORDERS.keys() | NO_ORDERS.keys()


@pytest.mark.parametrize("name", ORDERS)
def test_orders_are_read(name: str) -> None:
    orders = ADAPTER.parse_orders(body_of(name))
    assert [
        (
            one.external_id,
            one.status.value,
            one.payment.value,
            [line.quantity for line in one.lines],
            [refund.refunded_to_buyer_minor for refund in one.refunds],
            one.hold_reason,
        )
        for one in orders
    ] == ORDERS[name]
    for one in orders:
        assert one.amounts is not None
        assert one.amounts.imbalance_minor == 0
        assert {odd.code.value for odd in one.oddities} <= {"no_item_code"}
        assert one.deliveries[0].address is not None


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_is_no_order_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody) as refusal:
        ADAPTER.parse_orders(body_of(name))
    assert NO_ORDERS[name] in str(refusal.value)


def test_the_refund_is_read() -> None:
    notice = ADAPTER.parse_refund(body_of("docs_refund_create.json"))
    assert (notice.external_id, notice.refund.refund, notice.refund.refunded_to_buyer_minor) == ("723", "726", 1000)
    assert (notice.refund.quantities, notice.updated_at.isoformat()) == ((), "2017-03-21T20:07:11+00:00")
    for name in ("docs_order_note.json", "docs_webhook_create.json"):
        with pytest.raises(UnreadableBody, match="names no order with an amount"):
            ADAPTER.parse_refund(body_of(name))


def test_the_money_adds_up_wherever_the_fact_sheet_says_so(channel_facts: Path) -> None:
    with (channel_facts / "balance.tsv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["file"].startswith("woocommerce/docs_")]
    assert len(rows) == 8
    totals = {
        (name, one.external_id): one.amounts
        for name in ORDERS
        for one in ADAPTER.parse_orders(body_of(name))
        if one.amounts is not None
    }
    for row in rows:
        found = totals.get((row["file"].removeprefix("woocommerce/"), row[list(row)[1]]))
        if found is None:
            # A batch tells what it deleted too; that is no order any more.
            assert (row["file"], row[list(row)[1]]) == ("woocommerce/docs_orders_batch.json", "723")
            continue
        assert row["result"] == "ok"
        assert found.total_minor == found.computed_total_minor == parse_minor(Decimal(row["stated"]), "USD")


def test_the_published_rule_of_signatures(channel_facts: Path) -> None:
    vectors = json.loads((channel_facts / "signature_vectors.json").read_text(encoding="utf-8"))
    vector = next(one for one in vectors if one["id"] == "woocommerce_webhook_computed")
    adapter = WooCommerceAdapter(WooCommerceConfig(secrets=(vector["key"],)))
    adapter.verify({vector["header"]: vector["expected"]}, vector["body"].encode())
    with pytest.raises(ForgedSignature):
        adapter.verify({vector["header"]: vector["expected"]}, vector["body"].encode() + b" ")
