"""Reads 微信小店's order (order/get) into the canonical order; amounts are in fen, times in seconds.

Source: https://developers.weixin.qq.com/doc/store/shop/API/channels-shop-order/api_getorder.html and public SDKs for
newer fields. What a line costs after every discount (`real_price`) is authoritative; the fields that say who gives
which discount are told beside it. A line has no id of its own: it is `product/sku`, which calls about it need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import (
    flag,
    free_text,
    minor,
    optional_units,
    optional_unix_s,
    state,
    units,
    unix_s,
)
from omo_core.channels.wechat_shop_message import WechatShopConfig
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)

CURRENCY: Final = "CNY"
_STATUS: Final[Mapping[str, OrderStatus]] = {
    "10": OrderStatus.OPEN,  # to be paid
    "12": OrderStatus.OPEN,  # a present that waits to be accepted
    "13": OrderStatus.OPEN,  # group buying
    "15": OrderStatus.OPEN,  # group buying
    "16": OrderStatus.OPEN,  # paid; the store is to take it
    "17": OrderStatus.OPEN,  # to be collected
    "20": OrderStatus.OPEN,  # to be sent
    "21": OrderStatus.OPEN,  # sent in part
    "30": OrderStatus.CLOSED,  # all sent
    "100": OrderStatus.CLOSED,
    "190": OrderStatus.CANCELLED,  # the seller had sold too many
    "200": OrderStatus.CANCELLED,  # every line was refunded; see `_status` for what was sent before
    "250": OrderStatus.CANCELLED,  # by the buyer, by time, or by after-sales
}
_WAITING: Final[Mapping[str, str]] = {
    "10": "待付款",
    "12": "礼物待收下",
    "13": "待成团",
    "15": "拼团等待成团",
    "16": "等待商家接单",
}
_COLLECTED: Final = "17"
_VIRTUAL: Final = frozenset({"1", "3"})
_METHODS: Final[Mapping[str, str]] = {
    "1": "WeChat Pay",
    "2": "use first, pay later",
    "3": "nothing to pay",
    "4": "points",
}
_DISCOUNTS: Final = (
    ("merchant_discounted_price", "商家优惠", Funder.SELLER),
    ("finder_discounted_price", "达人优惠", Funder.PARTNER),
    ("vip_discounted_price", "会员权益优惠", Funder.SELLER),
    ("bulkbuy_discounted_price", "一起买优惠", Funder.UNKNOWN),
    ("limited_discount_discounted_price", "限时抢购优惠", Funder.UNKNOWN),
    ("cash_coupon_discounted_price", "平台券优惠", Funder.PLATFORM),
    ("national_subsidy_discounted_price", "国补优惠", Funder.PARTNER),
    ("national_subsidy_merchant_discounted_price", "地方补贴（商家出资）", Funder.SELLER),
    ("platform_activity_merchant_discounted_price", "活动商家补贴", Funder.SELLER),
    ("deduction_price", "会员积分抵扣", Funder.SELLER),
)
"""What may be taken off, at the order and at its lines, and who pays for it where that is told."""


def read_order(document: Cursor, config: WechatShopConfig, sha256: str) -> Order:
    """The canonical order; `sha256` is of the bytes it came in. Raises `UnreadableBody` or `InvalidMoney`."""
    detail = document.child("order_detail")
    delivery, price = detail.optional_child("delivery_info") or Cursor({}), detail.child("price_info")
    rows = list(detail.children("product_infos"))
    if not rows:
        detail.fail("product_infos", "is missing or empty", "send the whole order with its lines")
    virtual = str(delivery.fields.get("deliver_method")) in _VIRTUAL
    ids = line_ids(rows)
    shipped = optional_unix_s(delivery, "ship_done_time") is not None
    left = _left(delivery, shipped)
    lines = tuple(_line(row, line_id, virtual, left) for row, line_id in zip(rows, ids, strict=True))
    pay = detail.optional_child("pay_info") or Cursor({})
    updated_at, paid_at = unix_s(document, "update_time"), optional_unix_s(pay, "pay_time")
    status = _status(document, shipped)
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("order_id"),
        source_version=microseconds(updated_at),
        status=status,
        payment=_payment(document, pay, paid_at, rows),
        placed_at=unix_s(document, "create_time"),
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        currency=CURRENCY,
        lines=lines,
        deliveries=(_delivery(document, delivery, rows, config),),
        amounts=_amounts(price, lines),
        discounts=_discounts(price, rows, ids),
        payments=_payments(pay, price, paid_at),
        buyer=document.optional_identifier("openid"),
        note=_note(detail.optional_child("ext_info")),
        hold_reason=_hold_reason(document, delivery, rows, shipped),
        body_sha256=sha256,
    )


def line_ids(rows: Iterable[Cursor]) -> list[str]:
    """`product/sku` of each line; a further line of the same, such as a gift, has its count behind."""
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        own = f"{row.identifier('product_id')}/{row.identifier('sku_id')}"
        seen[own] += 1
        found.append(own if seen[own] == 1 else f"{own}/{seen[own]}")
    return found


def _status(document: Cursor, shipped: bool) -> OrderStatus:
    """Refunded after it was sent is closed, not cancelled: the goods are with the buyer, or on their way back."""
    status = state(document, "status", _STATUS, OrderStatus.OPEN)
    return OrderStatus.CLOSED if status is OrderStatus.CANCELLED and shipped else status


def _left(delivery: Cursor, shipped: bool) -> Counter[str] | None:
    """How many units of each `product/sku` were sent, by the parcels; None for all, where the order says no more."""
    parcels = list(delivery.children("delivery_product_info"))
    if shipped and not parcels:
        return None
    found: Counter[str] = Counter()
    for parcel in parcels:
        for one in parcel.children("product_infos"):
            found[f"{one.identifier('product_id')}/{one.identifier('sku_id')}"] += optional_units(one, "product_cnt")
    return found


def _payment(document: Cursor, pay: Cursor, paid_at: datetime | None, rows: Sequence[Cursor]) -> PaymentStatus:
    code = str(document.fields.get("status"))
    if code == "10":
        return PaymentStatus.PENDING
    refunded = [(optional_units(row, "finish_aftersale_sku_cnt"), units(row, "sku_cnt")) for row in rows]
    if code == "200" or all(back >= bought for back, bought in refunded):
        return PaymentStatus.REFUNDED
    if any(back for back, _ in refunded):
        return PaymentStatus.PARTIALLY_REFUNDED
    if paid_at is not None:
        return PaymentStatus.PAID
    if code in {"190", "250"}:
        return PaymentStatus.VOIDED
    later = str(pay.fields.get("payment_method")) == "2"
    return PaymentStatus.AUTHORISED if later else PaymentStatus.PAID if code in _STATUS else PaymentStatus.UNKNOWN


def _hold_reason(document: Cursor, delivery: Cursor, rows: Sequence[Cursor], shipped: bool) -> str | None:
    waiting = _WAITING.get(str(document.fields.get("status")))
    if waiting or shipped:
        return waiting
    after_sale = document.optional_child("aftersale_detail") or Cursor({})
    open_units = sum(optional_units(row, "on_aftersale_sku_cnt") for row in rows)
    if open_units or optional_units(after_sale, "on_aftersale_order_cnt"):
        return "售后处理中"
    return "买家申请修改收货地址" if delivery.fields.get("address_under_review") else None


def _line(row: Cursor, line_id: str, virtual: bool, left: Counter[str] | None) -> OrderLine:
    """A line; units that were refunded after they left are gone from the shelf all the same."""
    quantity, unit_minor = units(row, "sku_cnt"), minor(row, "sale_price")
    refunded = optional_units(row, "finish_aftersale_sku_cnt")
    sent = quantity
    if left is not None:
        goods_id = "/".join(line_id.split("/")[:2])  # Parcels name the goods, and several lines may be of the same.
        sent = min(quantity, left[goods_id])
        left[goods_id] -= sent
    gross = quantity * unit_minor
    off = (
        gross - minor(row, "real_price")
        if row.has("real_price")
        else sum(minor(row, key, 0) for key, _, _ in _DISCOUNTS)
    )
    goods = row.optional_child("sku_deliver_info")
    return row.build(
        OrderLine,
        line=line_id,
        sku=row.optional_identifier("sku_code") or row.optional_identifier("out_sku_id"),
        quantity=quantity,
        current_quantity=max(sent, quantity - refunded),
        title=free_text(row, "title"),
        listing=row.identifier("sku_id"),
        physical=not virtual,
        gift=flag(row, "is_free_gift"),
        amounts=row.build(LineAmounts, list_unit_price_minor=unit_minor, gross_minor=gross, discount_minor=off),
        preorder=goods is not None and str(goods.fields.get("stock_type")) == "1",
    )


def _amounts(price: Cursor, lines: Sequence[OrderLine]) -> OrderAmounts:
    changed = flag(price, "is_change_freight")
    return price.build(
        OrderAmounts,
        taxes_included=True,
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=sum(line.amounts.discount_minor for line in lines if line.amounts),
        shipping_minor=minor(price, "change_freight" if changed else "freight", 0),
        total_minor=minor(price, "order_price"),
        platform_discount_minor=minor(price, "cash_coupon_discounted_price", 0),
    )


def _discounts(price: Cursor, rows: Sequence[Cursor], ids: Sequence[str]) -> tuple[Discount, ...]:
    """Each discount of the order, with the lines' shares of it; `discounted_price` is the older name of the seller's."""
    found = []
    for key, title, funder in _DISCOUNTS:
        amount = minor(price, key, 0) if price.fields.get(key) else 0
        if not amount and funder is Funder.SELLER and key == _DISCOUNTS[0][0]:
            amount = minor(price, "discounted_price", 0)
        if amount:
            parts = ((line, minor(row, key, 0)) for row, line in zip(rows, ids, strict=True))
            shares = tuple(DiscountShare(line=line, amount_minor=part) for line, part in parts if part)
            found.append(price.build(Discount, title=title, funder=funder, amount_minor=amount, shares=shares))
    down = minor(price, "change_down_price", 0)
    if down:
        found.append(price.build(Discount, title="改价", funder=Funder.SELLER, amount_minor=down))
    return tuple(found)


def _payments(pay: Cursor, price: Cursor, paid_at: datetime | None) -> tuple[Payment, ...]:
    if paid_at is None:
        return ()
    return (
        pay.build(
            Payment,
            payment=pay.optional_identifier("transaction_id"),
            method=_METHODS.get(str(pay.fields.get("payment_method"))),
            amount_minor=minor(price, "order_price"),
            paid_at=paid_at,
        ),
    )


def _delivery(document: Cursor, delivery: Cursor, rows: Sequence[Cursor], config: WechatShopConfig) -> Delivery:
    """Sent, brought by a rider of the store, or collected there: an order to be collected has a status of its own."""
    city = document.optional_child("intra_city_order_info")
    collected = str(document.fields.get("status")) == _COLLECTED
    store = None if city is None else city.optional_identifier("shop_id")
    method, node = DeliveryMethod.SHIP if store is None else DeliveryMethod.ONE_HOUR, None
    if collected and store is None:
        document.odd("intra_city_order_info", "the goods are to be collected, and no store is named: read as shipped")
    elif collected and store is not None:
        method, node = DeliveryMethod.PICKUP, config.stores.get(store, store)
    address = delivery.optional_child("address_info")
    deadlines = [found for row in rows if (found := _deadline(row))]
    return delivery.build(
        Delivery,
        method=method,
        pickup_node=node,
        address=None if address is None else _address(address),
        ship_by=min(deadlines, default=None),
        not_before=_not_before(city, rows),
        deliver_by=None if city is None else optional_unix_s(city, "predict_arrive_end_time"),
    )


def _deadline(row: Cursor) -> datetime | None:
    """When a line must be gone; small numbers there are days or hours and say nothing of a time."""
    value = row.fields.get("delivery_deadline")
    return optional_unix_s(row, "delivery_deadline") if isinstance(value, int) and value > 10**9 else None


def _not_before(city: Cursor | None, rows: Sequence[Cursor]) -> datetime | None:
    if city is not None:
        return optional_unix_s(city, "predict_arrive_start_time")
    goods = (row.optional_child("sku_deliver_info") for row in rows)
    times = [found for one in goods if one is not None and (found := optional_unix_s(one, "predict_delivery_time"))]
    return max(times, default=None)


def _address(address: Cursor) -> Address:
    """The receiver; a virtual number reaches the buyer while it is valid and is no mask."""
    name, place = free_text(address, "user_name"), free_text(address, "detail_info")
    phone = free_text(address, "tel_number") or free_text(address, "virtual_order_tel_number")
    more = address.optional_child("tel_number_ext_info")
    if more is not None and flag(address, "use_tel_number"):
        phone = free_text(more, "virtual_tel_number") or phone
    house = free_text(address, "house_number")
    masked = "*" in f"{name}{phone}{place}{house}"
    return address.build(
        Address,
        recipient=name,
        phone=phone,
        street=tuple(text for text in (place, house) if text),
        district=free_text(address, "county_name"),
        city=free_text(address, "city_name"),
        region=free_text(address, "province_name"),
        postal_code=free_text(address, "postal_code"),
        country="CN",
        masked=masked,
        token=address.optional_text("hash_code") if masked else None,
    )


def _note(more: Cursor | None) -> str | None:
    if more is None:
        return None
    texts = [text for text in (free_text(more, "customer_notes"), free_text(more, "merchant_notes")) if text]
    return "\n".join(texts)[:2_000] or None
