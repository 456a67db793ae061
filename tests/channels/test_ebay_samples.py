"""The published eBay order beside this repository is read to the cent."""

from pathlib import Path

from omo_core.channels.ebay import EbayAdapter
from omo_core.model.orders import OrderStatus, PaymentStatus
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = EbayAdapter()
ORDER = "order_US_fully_refunded.json"


def test_there_is_one_sample(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "ebay").iterdir()}
    assert {name for name in files if not name.endswith(".source.txt")} == {ORDER}


def test_a_refunded_order_is_read() -> None:
    order = ADAPTER.parse_order((FACTS / "samples" / "ebay" / ORDER).read_bytes())
    assert (order.external_id, order.display_number) == ("12-11784-92982", "190")
    # It was sent, and its money went back: the order is finished and was never cancelled.
    assert (order.status, order.payment, order.hold_reason) == (OrderStatus.CLOSED, PaymentStatus.REFUNDED, None)
    assert [(line.sku, line.quantity, line.current_quantity) for line in order.lines] == [("161A0-29015", 1, 1)]
    assert order.amounts is not None
    # 11.16 of sales tax that eBay collects and remits is in no total.
    assert (order.amounts.total_minor, order.amounts.tax_minor, order.amounts.imbalance_minor) == (14398, 0, 0)
    (refund,) = order.refunds
    assert (refund.refunded_to_buyer_minor, refund.sellers_share_minor) == (14398, 12231)
    (payment,) = order.payments
    assert (payment.payment, payment.amount_minor) == ("420004_S", 12187)
    (delivery,) = order.deliveries
    assert delivery.address is not None
    assert (delivery.address.masked, delivery.address.region) == (True, "CA")
    assert (delivery.service, str(delivery.ship_by)) == (
        "ExpeditedShippingFromOutsideUS",
        "2024-07-08 14:59:59+00:00",
    )
    assert order.oddities == ()
