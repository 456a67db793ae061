"""Every published payload of JD's platform beside this repository is read, or refused for a stated reason."""

from pathlib import Path

import pytest

from omo_core.channels.jd import JdAdapter
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Funder
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = JdAdapter()
FOLDER = FACTS / "samples" / "jd"

# file -> (status, payment, what is left of each line, by how many minor units the money fails to add up)
ORDERS: dict[str, tuple[str, str, list[int], int]] = {
    "order_wait_seller_stock_out_discount.json": ("open", "paid", [1], 0),
}
# file -> why it is no order
NO_ORDERS = {
    # Nobody asked for its lines: only the optional_fields that were named came back.
    "pop_order_get_2023_virtual.json": r"orderInfo\.itemInfoList is missing or empty; ask for it among the optional",
}


def test_every_sample_is_named(channel_facts: Path) -> None:
    names = {file.name for file in (channel_facts / "samples" / "jd").glob("*.json")}
    assert names == ORDERS.keys() | NO_ORDERS.keys()


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_read(name: str) -> None:
    status, payment, left, imbalance_minor = ORDERS[name]
    order = ADAPTER.parse_order((FOLDER / name).read_bytes())
    assert (order.status, order.payment) == (status, payment)
    assert [line.current_quantity for line in order.lines] == left
    assert order.amounts is not None
    assert order.amounts.imbalance_minor == imbalance_minor


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_is_no_order_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody, match=NO_ORDERS[name]):
        ADAPTER.parse_order((FOLDER / name).read_bytes())
    with pytest.raises(UnreadableBody, match="order 281046817987 is open, not cancelled"):
        ADAPTER.parse_cancellation((FOLDER / name).read_bytes())


def test_its_details() -> None:
    order = ADAPTER.parse_order((FOLDER / "order_wait_seller_stock_out_discount.json").read_bytes())
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.discount_minor) == (26900, 1000)
    assert [(one.discount, one.funder, one.amount_minor) for one in order.discounts] == [("35", Funder.SELLER, 1000)]
    address = order.deliveries[0].address
    assert address is not None
    assert (address.masked, address.city, address.district) == (True, "深圳市", "龙岗区")
    assert order.lines[0].sku is None
