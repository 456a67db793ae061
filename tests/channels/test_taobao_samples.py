"""Every published payload of the Taobao platform beside this repository is read, or named with why it is not."""

from pathlib import Path

import pytest

from omo_core.channels.taobao import TaobaoAdapter
from omo_core.model.orders import OddityCode
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = TaobaoAdapter()
FOLDER = FACTS / "samples" / "taobao_top"

# file -> (status, payment, what is left of each line, by how many minor units the money fails to add up)
ORDERS: dict[str, tuple[str, str, list[int], int]] = {
    # Its author put random amounts in: 86.20 + 117.77 for the lines, 323.58 for the trade.
    "trade_fullinfo_2lines_erp_testdata.json": ("open", "paid", [1, 1], 11961),
}


def test_every_sample_is_named(channel_facts: Path) -> None:
    names = {file.name for file in (channel_facts / "samples" / "taobao_top").glob("*.json")}
    descriptions = {name for name in names if name.startswith("fielddoc_")}
    assert names - descriptions == ORDERS.keys()


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_read(name: str) -> None:
    status, payment, left, imbalance_minor = ORDERS[name]
    order = ADAPTER.parse_order((FOLDER / name).read_bytes())
    assert (order.status, order.payment) == (status, payment)
    assert [line.current_quantity for line in order.lines] == left
    assert order.amounts is not None
    assert order.amounts.imbalance_minor == imbalance_minor
    assert [one.code for one in order.oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]


def test_its_details() -> None:
    order = ADAPTER.parse_order((FOLDER / "trade_fullinfo_2lines_erp_testdata.json").read_bytes())
    assert [(line.line, line.sku, line.listing) for line in order.lines] == [
        ("500001083", "B-C352-F301-356M", "5000000017"),
        ("500001084", "B-C352-F302-357M", "5000000018"),
    ]
    assert [(one.discount, one.amount_minor) for one in order.discounts] == [
        ("Tmall$tmallItemPromotion-1513716101_9422588990", 1000)
    ]
    address = order.deliveries[0].address
    assert address is not None
    assert (address.postal_code, address.masked, address.token) == ("710000", False, None)
    assert order.note == "周末配送 \n改为发顺丰"
