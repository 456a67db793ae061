from omo_core.channels.intents import StockMode
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import Cancellation, RefundNotice, SoldLine, TillSale
from omo_core.model.orders import Refund, RefundStatus
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import Samples
from omo_core.testing.writers import (
    write_native_batch,
    write_native_cancellation,
    write_native_counter_sale,
    write_native_order,
    write_native_refund,
)
from omo_core.testing.writers.native import native_cancellation_document, native_order_document
from tests.channels.orders import NOON, plain_order

SECRET = "correct horse"
ORDER = plain_order()
CANCELLATION = Cancellation(channel="web", external_id="1", source_version=1, cancelled_at=NOON, reason="customer")
SALE = TillSale(
    channel="till", external_id="T-1", node="TPE-01", sold_at=NOON, lines=(SoldLine(sku="TEA-100", quantity=1),)
)
NOTICE = RefundNotice(
    channel="web",
    external_id="1",
    refund=Refund(refund="r1", created_at=NOON, refunded_to_buyer_minor=300, status=RefundStatus.AGREED),
    updated_at=NOON,
    returns_goods=True,
)


class TestNative(ChannelAdapterContract):
    adapter = NativeAdapter(NativeConfig(secrets=(SECRET,), max_bytes=50_000, endpoint="https://shop.example/omo"))
    max_bytes = 50_000
    fuzzed = 2_500
    messages = (
        write_native_order(ORDER, secret=SECRET, event_id="e-1"),
        write_native_cancellation(CANCELLATION, secret=SECRET, event_id="e-2"),
        write_native_counter_sale(SALE, secret=SECRET, event_id="e-3"),
        write_native_order(ORDER.model_copy(update={"note": "without an event id"}), secret=SECRET),
        write_native_refund(NOTICE, "USD", secret=SECRET, event_id="e-4"),
        write_native_batch(
            [native_order_document(ORDER), native_cancellation_document(CANCELLATION)], secret=SECRET, event_id="e-5"
        ),
    )
    refunds = (write_native_refund(NOTICE.model_copy(update={"channel": "native"}), "USD", secret=SECRET)[1],)
    samples = Samples(location="TPE-01", modes=tuple(StockMode))
