"""Every published payload of BigCommerce beside this repository is read, or refused for a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from omo_core.channels.bigcommerce import BigCommerceAdapter, BigCommerceConfig
from omo_core.channels.port import EventKind
from omo_core.model.errors import UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Order, OrderStatus, PaymentStatus
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = BigCommerceAdapter(BigCommerceConfig(store_hash="abcde", currency="USD"))
FOLDER = FACTS / "samples" / "bigcommerce"

ORDERS = ("v2_order_Response", "v2_orderCollection")
PRODUCTS = (
    "v2_orderProductLineItem_Custom_Product",
    "v2_orderProductLineItem_Product",
    "v2_orderProductLineItem_Product_with_Variants",
    "v2_orderProductLineItem_Product_with_file_upload",
    "v2_orderProductsCollection",
)
CONSIGNMENTS = (
    "bopis_pickups_response",
    "v2_consignments_Pickup_Consignments",
    "v2_consignments_schema_order_with_digital_consignments",
    "v2_consignments_schema_order_with_gift_certificate_consignments",
    "v2_consignments_schema_order_with_pickup_consignments",
    "v2_consignments_schema_order_with_shipping_consignments",
)
BESIDE = ("v2_orderShippingAddressCollection", "v2_orderTaxes")
EVENTS = {
    "store_order_archived": ("order", "250"),
    "store_order_created": ("order", "250"),
    "store_order_refund_created": ("refund", "250"),
    "store_order_statusUpdated": ("order", "250"),
    "store_shipment_created": ("order", "251"),
    "store_sku_inventory_updated": ("other", None),
    "webhook_order_created": ("order", "250"),
    "webhook_statusUpdated": ("order", "173331"),
}
REFUSED_REFUNDS = {
    # The documentation leaves out when they were made.
    "refund_response": "$.data.created is missing or empty",
    "v3_Refund_Resp": "$.data.created is missing or empty",
}
OUT_OF_SCOPE = {
    "v2_orderShipment": "a shipment: what the seller made, not what a buyer wants",
    "v2_orderShipmentCollection": "shipments, as above",
    "v2_orderStatusCollection": "the list of states; it is compared with the adapter's below",
    "v3_RefundQuotesBATCH_Resp": "quotes of refunds that nobody made",
    "v3_TransactionCollection_Resp": "transactions: the order tells what was paid",
    "v3_inventory_absolute": "a request's body",
    "v3_inventory_relative": "a request's body",
}


def sample(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def order_document(name: str = "v2_order_Response", **changes: Any) -> dict[str, Any]:
    document = json.loads(sample(name))
    return {**(document[0] if isinstance(document, list) else document), **changes}


def products_for(order_id: int, total: str, product_id: int = 12) -> bytes:
    """Products of our own, as the documentation prints none of these orders."""
    row = {"id": product_id, "order_id": order_id, "sku": "A", "quantity": 1}
    return json.dumps([{**row, "price_inc_tax": total, "total_inc_tax": total}]).encode()


def read(document: dict[str, Any], *more: bytes) -> Order:
    return ADAPTER.parse_order(json.dumps(document).encode(), *more)


def test_no_sample_is_forgotten(channel_facts: Path) -> None:
    found = {file.name for file in (channel_facts / "samples" / "bigcommerce").iterdir() if file.suffix == ".json"}
    listed = (*ORDERS, *PRODUCTS, *CONSIGNMENTS, *BESIDE, *EVENTS, *REFUSED_REFUNDS, *OUT_OF_SCOPE)
    assert found == {f"{name}.json" for name in listed}
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_alone_lacks_its_products(name: str) -> None:
    with pytest.raises(UnreadableBody, match=r"products are missing|\$ is a list"):
        ADAPTER.parse_order(sample(name))


def test_an_order_with_discounts_and_a_coupon() -> None:
    order = read(order_document(), products_for(218, "67.8400"))
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (6984, 0)
    assert (order.amounts.discount_minor, order.amounts.shipping_minor, order.amounts.tax_minor) == (1000, 1200, 531)
    assert (order.status, order.hold_reason, order.payment) == (
        OrderStatus.OPEN,
        "Awaiting Payment",
        PaymentStatus.AUTHORISED,
    )
    assert order.updated_at.isoformat() == "2019-03-11T15:17:25+00:00"
    # Its fees are beside its total, so that they were left out.
    assert [one.path for one in order.oddities] == ["$.fees"]


def test_an_order_of_a_list() -> None:
    order = read(order_document("v2_orderCollection"), products_for(100, "361.9500"))
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (36195, 0)
    assert (order.buyer, order.hold_reason, order.oddities) == ("20", None, ())


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    found = json.loads(sample(name))
    rows = found if isinstance(found, list) else [found]
    gross_minor = sum(int(row["total_inc_tax"].replace(".", "")) // 100 for row in rows)
    order = read(order_document(id=rows[0]["order_id"]), json.dumps(rows).encode())
    assert order.amounts is not None
    assert order.amounts.line_gross_minor == gross_minor
    assert [(line.line, line.sku, line.quantity) for line in order.lines] == [
        (str(row["id"]), row["sku"], row["quantity"]) for row in rows
    ]


def test_a_manual_discount_is_split_over_lines() -> None:
    order = read(order_document(id=149), sample("v2_orderProductsCollection"))
    assert [(one.discount, one.title, one.amount_minor) for one in order.discounts] == [
        ("manual-discount", "Manual Discount", 159)
    ]
    first, picked = order.lines
    assert first.amounts is not None
    assert (first.amounts.gross_minor, first.amounts.net_minor) == (6523, 6364)
    assert picked.wants_goods, "what a pick list adds is sent too"


@pytest.mark.parametrize("name", CONSIGNMENTS)
def test_consignments(name: str) -> None:
    number = 22 if name == "bopis_pickups_response" else 12
    order = read(order_document(id=129), products_for(129, "1.0000", number), sample(name))
    (delivery,) = order.deliveries
    if "digital" in name or "gift" in name:
        assert not order.lines[0].physical
    elif "shipping" in name:
        assert delivery.address is not None
        assert (delivery.fulfilment, delivery.address.street) == ("99", ("Laser Ltd", "123 Main Street", "string"))
    else:
        assert delivery.method is DeliveryMethod.PICKUP
        assert delivery.pickup_node == ("LOCATION-2" if number == 22 else "LOCATION-1")


def test_addresses_and_taxes_beside_an_order() -> None:
    products = products_for(229, "1.0000")
    order = read(order_document(id=229), products, *(sample(name) for name in BESIDE))
    assert [one.fulfilment for one in order.deliveries] == ["132", "133"]
    assert order.lines == read(order_document(id=229), products).lines


@pytest.mark.parametrize("name", EVENTS)
def test_an_event(name: str) -> None:
    event = ADAPTER.parse_event({}, sample(name))
    assert (event.kind, event.subject) == EVENTS[name]
    assert bool(event.fetch) is (event.kind is not EventKind.OTHER)
    told = json.loads(sample(name))
    assert event.event_key.endswith(told["hash"]) is ("created_at" in told)


@pytest.mark.parametrize("name", REFUSED_REFUNDS)
def test_a_refund_without_its_time(name: str) -> None:
    with pytest.raises(UnreadableBody) as refusal:
        ADAPTER.parse_refund(sample(name))
    assert str(refusal.value).startswith(REFUSED_REFUNDS[name])
    whole = json.loads(sample(name))
    whole["data"]["created"] = "2019-03-12T10:00:00+00:00"
    notice = ADAPTER.parse_refund(json.dumps(whole).encode())
    assert notice.external_id == str(whole["data"]["order_id"])
    assert notice.refund.refunded_to_buyer_minor == round(whole["data"]["total_amount"] * 100)


def test_every_state_is_known() -> None:
    for state in json.loads(sample("v2_orderStatusCollection")):
        order = read(order_document(status_id=state["id"]), products_for(218, "67.8400"))
        assert not [one for one in order.oddities if one.path == "$.status_id"]
        if order.hold_reason is not None:
            assert order.hold_reason == state["name"]
