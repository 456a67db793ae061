"""One sample of every command that the hub takes. A new command is added here, or the sweep's first test fails."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from omo_core.exchange import SignedMessage
from omo_core.model.availability import AvailabilityDelta, SetSafetyRule
from omo_core.model.fulfilment import AcceptOffer, CollectFulfilment, ReadyFulfilment, RejectOffer, ShipFulfilment
from omo_core.model.goods import (
    AbsoluteFeed,
    Adjustment,
    AdjustReason,
    AdjustStock,
    Arrived,
    CancelReceipt,
    ChangeCondition,
    CloseTransfer,
    Counted,
    CountStock,
    Expected,
    ExpectReceipt,
    ReceiveTransfer,
    Returned,
    ReturnGoods,
    Shipped,
    ShipTransfer,
)
from omo_core.model.items import Item
from omo_core.model.network import NodeKind
from omo_core.model.promised import ClaimRef, QuotaKind
from omo_core.model.promises import (
    BackorderRequest,
    ConvertBackorders,
    DropQuota,
    ExtendHolds,
    FinishSlots,
    PartOfBackorder,
    PartOfHold,
    PlaceBackorders,
    ReleaseBackorders,
    ReleaseSlots,
    ReleaseUnits,
    SetBackorderCap,
    SetCapacity,
    SetQuota,
    SlotCapacity,
)
from omo_core.model.stock import (
    ConfirmHolds,
    CounterSale,
    Demand,
    HoldRequest,
    Issue,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
)
from omo_core.orders import CancelOrder, Reevaluate
from omo_core.testing.writers import write_native_order
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, NOON, order
from tests.reliability.world import SECRET, SLOT, World

Act = Callable[[World], Any]
LATER = NOON + timedelta(days=1)


def demands(*lines: tuple[str, str, int]) -> tuple[Demand, ...]:
    return tuple(Demand(sku=sku, node=node, quantity=units) for sku, node, units in lines)


def requests(*lines: tuple[str, str, int]) -> tuple[HoldRequest, ...]:
    return tuple(
        HoldRequest(owner="buyer", line=str(number), sku=sku, node=node, quantity=units)
        for number, (sku, node, units) in enumerate(lines)
    )


def held(world: World, owner: str) -> Shipped:
    return Shipped(sku="A", quantity=1, hold=world.hold(owner))


def unknown(quantity: int) -> Counted:
    return Counted(sku="never heard of", node=NEAR, quantity=quantity)


# One a type of StockCommand, made for a world whose goods and holds tests/reliability/world.py prepares. What it does
# should need as many statements as the command ever needs: several rows, a new row, displaced holds, a refusal beside.
STOCK: Mapping[type, Callable[[World], Any]] = {
    Receive: lambda _: Receive(key="k", lines=demands(("A", NEAR, 1), ("D", CLOSE, 5), ("D", CLOSE, 1))),
    CounterSale: lambda _: CounterSale(key="k", lines=demands(("A", NEAR, 8), ("D", NEAR, 1))),
    SetSafety: lambda _: SetSafety(key="k", sku="A", node=NEAR, quantity=2),
    PlaceHolds: lambda _: PlaceHolds(
        key="k", lines=requests(("A", NEAR, 1), ("B", NEAR, 2)), expires_at=NOON + timedelta(days=1)
    ),
    ReplaceHolds: lambda world: ReplaceHolds(
        key="k", release=(world.hold("free"),), place=requests(("A", NEAR, 3), ("C", FAR, 1))
    ),
    ConfirmHolds: lambda world: ConfirmHolds(key="k", holds=(world.hold("free"), world.hold("firm"))),
    ReleaseHolds: lambda world: ReleaseHolds(key="k", holds=(world.hold("free"), world.hold("firm"))),
    IssueHolds: lambda world: IssueHolds(key="k", lines=(Issue(hold=world.hold("firm"), quantity=1),)),
    CountStock: lambda _: CountStock(
        key="k", lines=(Counted(sku="A", node=NEAR, quantity=3), Counted(sku="D", node=NEAR, quantity=1))
    ),
    AbsoluteFeed: lambda _: AbsoluteFeed(
        key="k", source="wms", sequence=7, lines=(Counted(sku="A", node=NEAR, quantity=3), unknown(1))
    ),
    AdjustStock: lambda _: AdjustStock(
        key="k", reason=AdjustReason.THEFT, lines=(Adjustment(sku="A", node=NEAR, quantity=-9),)
    ),
    ReturnGoods: lambda world: ReturnGoods(
        key="k",
        lines=(Returned(sku="B", node=CLOSE, quantity=1, disposition="quarantine", hold=world.hold("gone")),),
    ),
    ChangeCondition: lambda _: ChangeCondition(
        key="k", lines=demands(("A", NEAR, 9)), was="sellable", becomes="quarantine"
    ),
    ShipTransfer: lambda world: ShipTransfer(
        key="k", transfer="T2", from_node=NEAR, to_node=FAR, lines=(Shipped(sku="A", quantity=1), held(world, "free"))
    ),
    ReceiveTransfer: lambda _: ReceiveTransfer(
        key="k", transfer="T1", node=FAR, lines=(Arrived(sku="C", quantity=2), Arrived(sku="D", quantity=1))
    ),
    CloseTransfer: lambda _: CloseTransfer(key="k", transfer="T1"),
    ExpectReceipt: lambda _: ExpectReceipt(
        key="k", inbound="ASN", node=FAR, lines=(Expected(sku="D", quantity=4, due_at=LATER),)
    ),
    CancelReceipt: lambda _: CancelReceipt(key="k", inbound="ASN", node=FAR),
    ExtendHolds: lambda world: ExtendHolds(key="k", holds=(world.hold("lasting"),), expires_at=LATER),
    ReleaseUnits: lambda world: ReleaseUnits(key="k", lines=(PartOfHold(hold=world.hold("lasting"), quantity=1),)),
    SetQuota: lambda _: SetQuota(key="k", sku="B", channel="shop", quota_kind=QuotaKind.RING_FENCED, units=3),
    DropQuota: lambda _: DropQuota(key="k", sku="A", channel="shop"),
    SetCapacity: lambda _: SetCapacity(
        key="k", slots=tuple(SlotCapacity(node=node, slot_at=SLOT, capacity=9) for node in (NEAR, FAR))
    ),
    ReleaseSlots: lambda _: ReleaseSlots(key="k", claims=(ClaimRef(owner="lasting"),)),
    FinishSlots: lambda _: FinishSlots(key="k", claims=(ClaimRef(owner="lasting", node=NEAR, slot_at=SLOT),)),
    SetBackorderCap: lambda _: SetBackorderCap(key="k", sku="A", node=NEAR, cap=5),
    PlaceBackorders: lambda _: PlaceBackorders(
        key="k", lines=(BackorderRequest(owner="other", line="1", sku="B", quantity=1),), channel="shop"
    ),
    ReleaseBackorders: lambda world: ReleaseBackorders(
        key="k", lines=(PartOfBackorder(backorder=world.made.backorder, quantity=1),)
    ),
    ConvertBackorders: lambda _: ConvertBackorders(key="k", sku="B", node=NEAR),
}

# One a type of FulfilmentCommand.
FULFILMENT: Mapping[type, Callable[[World], Any]] = {
    AcceptOffer: lambda world: AcceptOffer(key="k", fulfilment=world.made.offered),
    RejectOffer: lambda world: RejectOffer(key="k", fulfilment=world.made.offered, reason="shelf empty"),
    ShipFulfilment: lambda world: ShipFulfilment(key="k", fulfilment=world.made.accepted, tracking="1Z9"),
    ReadyFulfilment: lambda world: ReadyFulfilment(key="k", fulfilment=world.made.accepted),
    CollectFulfilment: lambda world: CollectFulfilment(key="k", fulfilment=world.made.accepted),
}


def message() -> SignedMessage:
    _, body = write_native_order(order("by channel", {"A": 2}), secret=SECRET)
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return SignedMessage({"X-Omo-Signature": f"sha256={signature}", "X-Omo-Event-Id": "e-1"}, body)


# One a method of a desk that writes, beyond the commands above; its answer to a repetition is the first one's.
KEYED: Mapping[str, Act] = {
    "StockDesk.apply_many": lambda world: world.hub.stock.apply_many(
        [STOCK[Receive](world), PlaceHolds(key="k2", lines=requests(("A", NEAR, 99)))]
    ),
    "AvailabilityDesk.set_safety_rule": lambda world: world.hub.stock.set_safety_rule(
        SetSafetyRule(key="k", units=1, permille=100, node_kind=NodeKind.STORE)
    ),
    "OrdersDesk.place_many": lambda world: world.hub.orders.place_many([order("new", {"A": 1, "C": 1})]),
    "OrdersDesk.cancel_many": lambda world: world.hub.orders.cancel_many(
        [
            CancelOrder(channel="shop", external_id="offered"),
            CancelOrder(channel="shop", external_id="not yet heard of"),
        ]
    ),
    "OrdersDesk.release": lambda world: world.hub.orders.release("shop", "held", key="k"),
    "SourcingDesk.reevaluate": lambda world: world.hub.sourcing.reevaluate(
        Reevaluate(key="k", accepted=True, growth_permille=None)
    ),
    "FulfilmentDesk.apply_many": lambda world: world.hub.fulfilment.apply_many(
        [
            AcceptOffer(key="k1", fulfilment=world.made.offered),
            RejectOffer(key="k2", fulfilment=world.made.accepted, reason="no"),
        ]
    ),
}

# These have no key: repeated, they find nothing left to do.
KEYLESS: Mapping[str, Act] = {
    "PromiseDesk.limit_extensions": lambda world: world.hub.stock.limit_extensions(2),
    "AvailabilityDesk.told": lambda world: world.hub.stock.told(
        [AvailabilityDelta(channel="shop", sku=sku, units=3, told=None) for sku in "AB"]
    ),
    "NetworkDesk.load": lambda world: world.hub.network.load(
        NETWORK.model_copy(update={"items": (Item(sku="E"), *NETWORK.items)})
    ),
    "StockDesk.expire": lambda world: world.hub.stock.expire(),
    "SourcingDesk.run_wave": lambda world: world.hub.sourcing.run_wave(),
    "SourcingDesk.retry_short": lambda world: world.hub.sourcing.retry_short(),
    "ChannelDesk.receive_many": lambda world: world.hub.channels["shop"].receive_many([message()]),
    "ChannelDesk.report_again": lambda world: world.hub.channels["shop"].report_again(),
    "ChannelDesk.take": lambda world: world.hub.channels["shop"].take(message().headers, message().body),
}

# These make commands that stand above, or hand them in, and add nothing. So does, unlisted, whatever returns the answer
# to one command: a StockAnswer or a FulfilmentAnswer.
SHORTHANDS: Mapping[str, str] = {
    "StockDesk.submit": "STOCK",
    "StockDesk.hold_many": "StockDesk.apply_many",
    "OrdersDesk.place": "OrdersDesk.place_many",
    "OrdersDesk.submit": "OrdersDesk.place_many",
    "OrdersDesk.cancel": "OrdersDesk.cancel_many",
    "FulfilmentDesk.submit": "FULFILMENT",
    "ChannelDesk.receive": "ChannelDesk.receive_many",
}

# Rounds of many transactions, each of them whole: tests/exchange breaks them off after every one.
ROUNDS = {
    "ChannelDesk.fetch_due",
    "ChannelDesk.publish",
    "ChannelDesk.reconcile",
    "ChannelDesk.replay",
    "ChannelDesk.report",
}

READERS = {
    "ChannelDesk.parked",
    "ChannelDesk.not_reported",
    "ChannelDesk.read_many",
    "ChannelDesks.health",
    "NetworkDesk.current",
    "AvailabilityDesk.levels",
    "AvailabilityDesk.levels_of",
    "AvailabilityDesk.available",
    "AvailabilityDesk.available_many",
    "AvailabilityDesk.available_kits",
    "AvailabilityDesk.components",
    "AvailabilityDesk.deltas",
    "StockDesk.holds_of",
    "GoodsDesk.count_tasks",
    "GoodsDesk.transfers",
    "GoodsDesk.open_transfers",
    "GoodsDesk.inbound",
    "GoodsDesk.open_inbound",
    "GoodsDesk.inbound_due",
    "PromiseDesk.extension_limit",
    "PromiseDesk.quotas_of",
    "PromiseDesk.slots",
    "PromiseDesk.claims_of",
    "PromiseDesk.backorders_of",
    "PromiseDesk.backorder_caps",
    "OrdersDesk.find",
    "OrdersDesk.document",
    "SourcingDesk.proposed",
    "HindsightDesk.replay",
    "HindsightDesk.what_if",
    "OrdersDesk.page",
    "FulfilmentDesk.open",
    "ChannelDesks.add",  # touches no database
}


def _through_the_stock_desk(command: Callable[[World], Any]) -> Act:
    return lambda world: world.hub.stock.apply(command(world))


def _through_the_fulfilment_desk(command: Callable[[World], Any]) -> Act:
    return lambda world: world.hub.fulfilment.apply_many([command(world)])


SAMPLES: dict[str, Act] = {
    **{kind.__name__: _through_the_stock_desk(command) for kind, command in STOCK.items()},
    **{kind.__name__: _through_the_fulfilment_desk(command) for kind, command in FULFILMENT.items()},
    **KEYED,
    **KEYLESS,
}
