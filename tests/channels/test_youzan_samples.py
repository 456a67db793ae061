"""Every published payload of Youzan beside this repository is read, or refused for a stated reason."""

from pathlib import Path

import pytest

from omo_core.channels.intents import ListChanges, Request, Response
from omo_core.channels.youzan import YouzanAdapter
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import RefundStatus
from omo_core.testing.samples import NOW
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = YouzanAdapter()
FOLDER = FACTS / "samples" / "youzan"

# file -> (status, payment, what is left of each line, by how many minor units the money fails to add up)
ORDERS: dict[str, tuple[str, str, list[int], int]] = {
    "trade_get_4.0.0.json": ("closed", "paid", [1, 1, 1, 1], 0),
    "trade_push_virtual_ticket.json": ("open", "paid", [1], 0),
}
# file -> (refund, trade, how far it is, amount)
REFUNDS: dict[str, tuple[str, str, RefundStatus, int]] = {
    "refund_get_3.0.0.json": ("201807041506110000020693", "E20180701125857069300003", RefundStatus.DONE, 200),
    "refund_search_3.0.0.json": ("201904281639340000010859", "E20190428163921085900029", RefundStatus.DONE, 13),
}
# file -> why it is no order
NO_ORDERS = {
    # A delivery order's list, and a pick-up code with an older trade, of which neither money nor times are told.
    "trade_dc_query_querybyorderno_1.0.0.json": r"\$\.full_order_info is missing",
    "trade_selffetchcode_get_3.0.0.json": r"\$\.response\.full_order_info is missing",
}
# file -> why it is no refund of a trade
NO_REFUNDS = {"retail_open_refundorder_get_3.0.0.json": r"\$\.response\.created is missing"}
ANSWERS = {"trades_sold_get_4.0.0.json", "item_sku_update_3.0.0.json"}


def body_of(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def test_every_sample_is_named(channel_facts: Path) -> None:
    names = {file.name for file in (channel_facts / "samples" / "youzan").glob("*.json")}
    descriptions = {name for name in names if name.startswith("fielddoc_")}
    named = ORDERS.keys() | REFUNDS.keys() | NO_ORDERS.keys() | NO_REFUNDS.keys() | ANSWERS
    assert names - descriptions == named


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_read(name: str) -> None:
    status, payment, left, imbalance_minor = ORDERS[name]
    order = ADAPTER.parse_order(body_of(name))
    assert (order.status, order.payment) == (status, payment)
    assert [line.current_quantity for line in order.lines] == left
    assert order.amounts is not None
    assert order.amounts.imbalance_minor == imbalance_minor


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_is_no_order_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody, match=NO_ORDERS[name]):
        ADAPTER.parse_order(body_of(name))


@pytest.mark.parametrize("name", REFUNDS)
def test_a_refund_is_read(name: str) -> None:
    notice = ADAPTER.parse_refund(body_of(name))
    refund = notice.refund
    found = (refund.refund, notice.external_id, refund.status, refund.refunded_to_buyer_minor)
    assert found == REFUNDS[name]
    assert notice.returns_goods is False


@pytest.mark.parametrize("name", NO_REFUNDS)
def test_what_is_no_refund_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody, match=NO_REFUNDS[name]):
        ADAPTER.parse_refund(body_of(name))


def test_answers_are_read() -> None:
    intent = ListChanges(key="k", since=NOW.replace(year=2025), until=NOW)
    page = ADAPTER.read_page(intent, body_of("trades_sold_get_4.0.0.json"))
    assert (page.orders, page.following) == ((), None)
    request = Request(method="POST", url="https://open.youzanyun.com/api/youzan.item.sku.update/3.0.0", items=("1",))
    assert ADAPTER.read_answer(intent, request, Response(status=200, body=body_of("item_sku_update_3.0.0.json"))).ok


def test_their_details() -> None:
    order = ADAPTER.parse_order(body_of("trade_get_4.0.0.json"))
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.discount_minor) == (37300, 5240)
    assert sum(one.amount_minor for one in order.discounts) == 5240
    assert [line.line for line in order.lines][:2] == ["410405681-36203237", "409382504-36218994"]
    assert [one.amount_minor for one in order.payments] == [32060]
    ticket = ADAPTER.parse_order(body_of("trade_push_virtual_ticket.json"))
    assert [(line.line, line.physical, line.preorder) for line in ticket.lines] == [
        ("1494948796465942441", False, False)
    ]
