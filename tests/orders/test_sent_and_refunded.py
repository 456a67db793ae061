"""An order of a platform whose lines are refunded, one after it left and one before: what the pool makes of it."""

import json
from typing import Any

from omo_core.channels.taobao import TaobaoAdapter
from omo_core.hub import OrderHub
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, Order
from omo_core.model.values import GeoPoint
from tests.orders.conftest import CLOSE, NEAR, stock

DOOR = Delivery(method=DeliveryMethod.SHIP, address=Address(point=GeoPoint(latitude=25.031, longitude=121.561)))


def trade(at: str, first: dict[str, Any], second: dict[str, Any], **fields: Any) -> Order:
    """A trade of 1 A and 1 B, as Taobao tells of it at a time; it names no place on the map, so that is added."""
    plain = {"num": 1, "price": "10.00", "total_fee": "10.00", "status": "WAIT_SELLER_SEND_GOODS"}
    rows = [plain | {"oid": 1, "outer_iid": "A"} | first, plain | {"oid": 2, "outer_iid": "B"} | second]
    document = {"tid": 9, "created": "2026-05-04 08:00:00", "modified": at, "payment": "20.00", "orders": rows}
    order = TaobaoAdapter().parse_order(json.dumps(document | {"status": "WAIT_SELLER_SEND_GOODS"} | fields).encode())
    return order.model_copy(update={"deliveries": (DOOR,)})


def test_a_refund_of_what_left_does_not_hide_that_the_rest_is_off(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
    placed = hub.orders.place(trade("2026-05-04 08:30:00", {}, {}))
    (sent,) = [one for one in placed.fulfilment_orders if one.node == NEAR]
    hub.fulfilment.accept(sent.fulfilment, key="a")
    hub.fulfilment.ship(sent.fulfilment, key="s")
    assert hub.stock.available("B") == 0
    back = {"status": "TRADE_CLOSED", "refund_status": "SUCCESS"}
    left = back | {"consign_time": "2026-05-04 09:00:00"}
    answer = hub.orders.place(trade("2026-05-04 10:00:00", left, back, status="SELLER_CONSIGNED_PART"))
    assert answer.refusals == ()
    assert (hub.stock.available("A"), hub.stock.available("B")) == (0, 1)
    over = hub.orders.place(trade("2026-05-04 11:00:00", left, back, status="TRADE_CLOSED"))
    assert (over.refusals, over.state) == ((), answer.state)
