"""The order-management core of an online-merge-offline retailer: one stock pool, every channel, one allocator."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# A public name is imported when it is first used, so importing the package stays cheap. To add one: a line in the table,
# the same under TYPE_CHECKING, then `python tools/public_api.py`.
_HOMES = {
    "omo_core.allocation": ["SourcingPolicy"],
    "omo_core.hub": ["OrderHub"],
    "omo_core.inventory.repair": ["AcknowledgeFindings", "RepairAnswer", "RepairRow"],
    "omo_core.model.errors": [
        "BodyTooLarge",
        "DatabaseError",
        "DatabaseFull",
        "DatabaseOutdated",
        "DatabaseTooNew",
        "DatabaseUnavailable",
        "DuplicateKeyMismatch",
        "ForgedSignature",
        "HubClosed",
        "InvalidInput",
        "InvalidMoney",
        "InvariantViolation",
        "OmoError",
        "Overloaded",
        "StaleSignature",
        "UnknownChannel",
        "UnreadableBody",
    ],
    "omo_core.model.availability": ["AvailabilityDelta", "PublicationRule", "SafetyRuleSet", "SetSafetyRule"],
    "omo_core.model.events": ["Event"],
    "omo_core.model.fulfilment": [
        "AcceptOffer",
        "CollectFulfilment",
        "FulfilmentAnswer",
        "FulfilmentLine",
        "FulfilmentOrder",
        "FulfilmentState",
        "OrderState",
        "PlacedOrder",
        "RejectOffer",
        "ShipFulfilment",
        "Shortfall",
    ],
    "omo_core.model.goods": [
        "AbsoluteFeed",
        "Adjustment",
        "AdjustReason",
        "AdjustStock",
        "Arrived",
        "CancelReceipt",
        "ChangeCondition",
        "CloseTransfer",
        "Counted",
        "CountStock",
        "CountTask",
        "Expected",
        "ExpectReceipt",
        "Inbound",
        "ReceiveTransfer",
        "Returned",
        "ReturnGoods",
        "Shipped",
        "ShipTransfer",
        "Transfer",
        "TransferLine",
    ],
    "omo_core.model.items": ["Item"],
    "omo_core.model.network": ["Consent", "DeliveryMethod", "Network", "Node", "NodeKind", "OpeningHours"],
    "omo_core.model.orders": [
        "Address",
        "Delivery",
        "Discount",
        "DiscountShare",
        "Funder",
        "LineAmounts",
        "Oddity",
        "OddityCode",
        "Order",
        "OrderAmounts",
        "OrderLine",
        "OrderStatus",
        "Payment",
        "PaymentStatus",
        "Refund",
        "RefundStatus",
    ],
    "omo_core.model.promised": [
        "Backorder",
        "BackorderCap",
        "BackorderKind",
        "ClaimRef",
        "Quota",
        "QuotaKind",
        "SlotClaim",
        "SlotLevel",
        "SlotRequest",
    ],
    "omo_core.model.promises": [
        "BackorderRequest",
        "ConvertBackorders",
        "DropQuota",
        "ExtendHolds",
        "FinishSlots",
        "PartOfBackorder",
        "PartOfHold",
        "PlaceBackorders",
        "ReleaseBackorders",
        "ReleaseSlots",
        "ReleaseUnits",
        "SetBackorderCap",
        "SetCapacity",
        "SetQuota",
        "SlotCapacity",
    ],
    "omo_core.model.refusals": ["Refusal"],
    "omo_core.model.stock": [
        "ConfirmHolds",
        "Correction",
        "CounterSale",
        "Demand",
        "Displaced",
        "Hold",
        "HoldRequest",
        "HoldState",
        "Issue",
        "IssueHolds",
        "Level",
        "PlaceHolds",
        "Receive",
        "ReleaseHolds",
        "ReplaceHolds",
        "SetSafety",
        "Shortage",
        "StockAnswer",
    ],
    "omo_core.model.values": ["GeoPoint", "Money"],
    "omo_core.orders.replay": ["Replay", "ReplayInput"],
    "omo_core.orders.what_if": ["WhatIf"],
    "omo_core.orders.what_if_figures": ["NodeFigures", "PolicyFigures"],
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  one table, not two

if TYPE_CHECKING:
    from omo_core.allocation import SourcingPolicy as SourcingPolicy
    from omo_core.hub import OrderHub as OrderHub
    from omo_core.inventory.repair import (
        AcknowledgeFindings as AcknowledgeFindings,
        RepairAnswer as RepairAnswer,
        RepairRow as RepairRow,
    )
    from omo_core.model.availability import (
        AvailabilityDelta as AvailabilityDelta,
        PublicationRule as PublicationRule,
        SafetyRuleSet as SafetyRuleSet,
        SetSafetyRule as SetSafetyRule,
    )
    from omo_core.model.errors import (
        BodyTooLarge as BodyTooLarge,
        DatabaseError as DatabaseError,
        DatabaseFull as DatabaseFull,
        DatabaseOutdated as DatabaseOutdated,
        DatabaseTooNew as DatabaseTooNew,
        DatabaseUnavailable as DatabaseUnavailable,
        DuplicateKeyMismatch as DuplicateKeyMismatch,
        ForgedSignature as ForgedSignature,
        HubClosed as HubClosed,
        InvalidInput as InvalidInput,
        InvalidMoney as InvalidMoney,
        InvariantViolation as InvariantViolation,
        OmoError as OmoError,
        Overloaded as Overloaded,
        StaleSignature as StaleSignature,
        UnknownChannel as UnknownChannel,
        UnreadableBody as UnreadableBody,
    )
    from omo_core.model.events import Event as Event
    from omo_core.model.fulfilment import (
        AcceptOffer as AcceptOffer,
        CollectFulfilment as CollectFulfilment,
        FulfilmentAnswer as FulfilmentAnswer,
        FulfilmentLine as FulfilmentLine,
        FulfilmentOrder as FulfilmentOrder,
        FulfilmentState as FulfilmentState,
        OrderState as OrderState,
        PlacedOrder as PlacedOrder,
        RejectOffer as RejectOffer,
        ShipFulfilment as ShipFulfilment,
        Shortfall as Shortfall,
    )
    from omo_core.model.goods import (
        AbsoluteFeed as AbsoluteFeed,
        Adjustment as Adjustment,
        AdjustReason as AdjustReason,
        AdjustStock as AdjustStock,
        Arrived as Arrived,
        CancelReceipt as CancelReceipt,
        ChangeCondition as ChangeCondition,
        CloseTransfer as CloseTransfer,
        Counted as Counted,
        CountStock as CountStock,
        CountTask as CountTask,
        Expected as Expected,
        ExpectReceipt as ExpectReceipt,
        Inbound as Inbound,
        ReceiveTransfer as ReceiveTransfer,
        Returned as Returned,
        ReturnGoods as ReturnGoods,
        Shipped as Shipped,
        ShipTransfer as ShipTransfer,
        Transfer as Transfer,
        TransferLine as TransferLine,
    )
    from omo_core.model.items import Item as Item
    from omo_core.model.network import (
        Consent as Consent,
        DeliveryMethod as DeliveryMethod,
        Network as Network,
        Node as Node,
        NodeKind as NodeKind,
        OpeningHours as OpeningHours,
    )
    from omo_core.model.orders import (
        Address as Address,
        Delivery as Delivery,
        Discount as Discount,
        DiscountShare as DiscountShare,
        Funder as Funder,
        LineAmounts as LineAmounts,
        Oddity as Oddity,
        OddityCode as OddityCode,
        Order as Order,
        OrderAmounts as OrderAmounts,
        OrderLine as OrderLine,
        OrderStatus as OrderStatus,
        Payment as Payment,
        PaymentStatus as PaymentStatus,
        Refund as Refund,
        RefundStatus as RefundStatus,
    )
    from omo_core.model.promised import (
        Backorder as Backorder,
        BackorderCap as BackorderCap,
        BackorderKind as BackorderKind,
        ClaimRef as ClaimRef,
        Quota as Quota,
        QuotaKind as QuotaKind,
        SlotClaim as SlotClaim,
        SlotLevel as SlotLevel,
        SlotRequest as SlotRequest,
    )
    from omo_core.model.promises import (
        BackorderRequest as BackorderRequest,
        ConvertBackorders as ConvertBackorders,
        DropQuota as DropQuota,
        ExtendHolds as ExtendHolds,
        FinishSlots as FinishSlots,
        PartOfBackorder as PartOfBackorder,
        PartOfHold as PartOfHold,
        PlaceBackorders as PlaceBackorders,
        ReleaseBackorders as ReleaseBackorders,
        ReleaseSlots as ReleaseSlots,
        ReleaseUnits as ReleaseUnits,
        SetBackorderCap as SetBackorderCap,
        SetCapacity as SetCapacity,
        SetQuota as SetQuota,
        SlotCapacity as SlotCapacity,
    )
    from omo_core.model.refusals import Refusal as Refusal
    from omo_core.model.stock import (
        ConfirmHolds as ConfirmHolds,
        Correction as Correction,
        CounterSale as CounterSale,
        Demand as Demand,
        Displaced as Displaced,
        Hold as Hold,
        HoldRequest as HoldRequest,
        HoldState as HoldState,
        Issue as Issue,
        IssueHolds as IssueHolds,
        Level as Level,
        PlaceHolds as PlaceHolds,
        Receive as Receive,
        ReleaseHolds as ReleaseHolds,
        ReplaceHolds as ReplaceHolds,
        SetSafety as SetSafety,
        Shortage as Shortage,
        StockAnswer as StockAnswer,
    )
    from omo_core.model.values import GeoPoint as GeoPoint, Money as Money
    from omo_core.orders.replay import Replay as Replay, ReplayInput as ReplayInput
    from omo_core.orders.what_if import WhatIf as WhatIf
    from omo_core.orders.what_if_figures import NodeFigures as NodeFigures, PolicyFigures as PolicyFigures


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
