"""Reads WooCommerce's orders (REST v3 and webhooks, the same document) and their refunds.

Sources: https://woocommerce.github.io/woocommerce-rest-api-docs/#orders and #order-refunds;
https://woocommerce.com/document/bundles-rest-api-reference for `bundled_by`. Amounts of lines are without tax, whatever
`prices_include_tax` says.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import (
    TEXT_LIMIT,
    free_text,
    incidental_id,
    local,
    optional_local,
    state,
    unit_price,
    units,
)
from omo_core.channels.woocommerce_bundles import bundle_links, bundled, meta_of
from omo_core.channels.woocommerce_delivery import WooCommerceConfig, read_delivery
from omo_core.model.errors import InvalidMoney, UnreadableBody
from omo_core.model.orders import (
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
    Refund,
)
from omo_core.model.values import check_currency, parse_minor

_STATUS: Final[Mapping[str, OrderStatus]] = {
    **dict.fromkeys(("pending", "processing", "on-hold", "failed", "checkout-draft", "auto-draft"), OrderStatus.OPEN),
    **dict.fromkeys(("completed", "refunded"), OrderStatus.CLOSED),
    **dict.fromkeys(("cancelled", "trash"), OrderStatus.CANCELLED),
}

_NOT_YET: Final = frozenset({"pending", "on-hold", "failed", "checkout-draft", "auto-draft"})
"""Statuses in which WooCommerce waits for money or for somebody's yes: the goods stay."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,20})?")
_LONGEST: Final = 38
"""Characters of the longest number there is."""


def read_order(
    document: Cursor, config: WooCommerceConfig, sha256: str, refunds: Iterable[Cursor] | None = None
) -> Order:
    """The canonical order; `refunds` are its refund documents, which alone tell which lines were refunded.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    _check_resource(document)
    currency = _currency(document)
    updated_at = local(document, "date_modified_gmt", UTC)
    status = state(document, "status", {**_STATUS, **config.statuses}, OrderStatus.OPEN)
    known = _refunds(document, currency, updated_at, refunds)
    lines = _lines(document, currency, config, known)
    amounts = _amounts(document, lines, currency)
    paid_at = optional_local(document, "date_paid_gmt", UTC)
    customer = document.optional_identifier("customer_id")
    word = document.optional_text("status")
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("id"),
        display_number=document.optional_identifier("number"),
        source_version=microseconds(updated_at),
        status=status,
        payment=_payment_status(word, paid_at, known, amounts.total_minor),
        placed_at=local(document, "date_created_gmt", UTC),
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        currency=currency,
        lines=lines,
        deliveries=(read_delivery(document, config),),
        amounts=amounts,
        refunds=known,
        note=free_text(document, "customer_note"),
        body_sha256=sha256,
        payments=_payments(document, amounts.total_minor, paid_at),
        discounts=_discounts(document, lines, currency),
        buyer=customer if customer != "0" else None,
        hold_reason=word if word in _NOT_YET and status is OrderStatus.OPEN else None,
    )


def read_refund(refund: Cursor, currency: str) -> Refund:
    """One refund document; its lines are negative, and name the order's lines in their meta.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    quantities: Counter[str] = Counter()
    for line in refund.children("line_items"):
        given = line.fields.get("quantity")
        if given in (0, "0", "", None):
            continue
        back = Cursor({"quantity": _negated(given)}, parent=line, key="refunded")
        of = meta_of(line).get("_refunded_item_id")
        if not isinstance(of, str | int) or isinstance(of, bool) or of == "":
            line.odd("meta_data", "does not name the order's line, so the refunded units are not known")
            continue
        quantities[str(of)] += units(back, "quantity")
    return refund.build(
        Refund,
        refund=refund.identifier("id"),
        created_at=local(refund, "date_created_gmt", UTC),
        refunded_to_buyer_minor=_minor(refund, "amount", currency),
        quantities=tuple(quantities.items()),
        reason=free_text(refund, "reason"),
    )


def _negated(value: object) -> object:
    if isinstance(value, str):
        return value.removeprefix("-") if value.startswith("-") else f"-{value}"
    return -value if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _check_resource(document: Cursor) -> None:
    if document.has("id") and "line_items" in document.fields and "status" in document.fields:
        return
    first = next(iter(document.fields), "nothing")
    raise UnreadableBody(
        f"{document.path} begins with {first[:40]!r} and has no id, status and line_items, so it is no order of the REST"
        " API; send one order, or a list",
        path=document.path,
    )


def _currency(document: Cursor) -> str:
    """The currency; some sites send it as HTML."""
    text = html.unescape(document.text("currency")[:40]).strip()
    try:
        return check_currency(text)
    except InvalidMoney as error:
        path = f"{document.path}.currency"
        raise InvalidMoney(f"{path}: {error}", path=path) from None


def _minor(cursor: Cursor, key: str, currency: str, default: int | None = None) -> int:
    """An amount, also with more decimals than the currency has: sites round lines and taxes late, or not at all."""
    value = cursor.fields.get(key)
    late = isinstance(value, Decimal) or (isinstance(value, str) and "." in value and len(value) <= _LONGEST)
    try:
        rounded = _rounded(value, currency) if late else None
    except InvalidMoney as error:
        path = f"{cursor.path}.{key}"
        raise InvalidMoney(f"{path}: {error}", path=path) from None
    return cursor.amount(key, currency, default) if rounded is None else rounded


@lru_cache(maxsize=4_096)  # A shop has few prices.
def _rounded(value: str | Decimal, currency: str) -> int | None:
    """None where a text is no number."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    return parse_minor(value, currency, round_noise=True)


def _lines(
    document: Cursor, currency: str, config: WooCommerceConfig, refunds: tuple[Refund, ...]
) -> tuple[OrderLine, ...]:
    gone: Counter[str] = Counter()
    for refund in refunds:
        gone.update(dict(refund.quantities))
    sources = list(document.children("line_items"))
    if not sources:
        document.fail("line_items", "is missing or empty", "send the whole order with at least one line")
    sources = [one for one in sources if _has_units(one)]
    if not sources:
        document.fail("line_items", "has only lines of 0 units", "send at least one line with units")
    lines = [_line(one, currency, config, gone) for one in sources]
    parents, containers = bundle_links(sources, [line.line for line in lines])
    return tuple(bundled(lines, parents, containers)) if parents else tuple(lines)


def _has_units(line: Cursor) -> bool:
    """False, and odd, for a line that was set to 0 by hand; money that it still has is missing in the sum, and told."""
    if line.fields.get("quantity") not in (0, "0") or units(line, "quantity", least=0):
        return True
    line.odd("quantity", "a line of 0 units was left out")
    return False


def _line(line: Cursor, currency: str, config: WooCommerceConfig, gone: Mapping[str, int]) -> OrderLine:
    line_id, quantity = line.identifier("id"), units(line, "quantity")
    net_minor = _minor(line, "total", currency)
    # A total that was raised by hand is no negative discount.
    gross_minor = max(net_minor, _minor(line, "subtotal", currency, net_minor))
    listing = next(
        (
            found
            for key in ("variation_id", "product_id")
            if (found := line.optional_identifier(key)) not in (None, "0")
        ),
        None,
    )
    return line.build(
        OrderLine,
        line=line_id,
        sku=line.optional_identifier("sku"),
        quantity=quantity,
        current_quantity=max(0, quantity - gone.get(line_id, 0)),
        title=_title(line),
        listing=listing,
        physical=listing not in config.virtual_listings,
        amounts=line.build(
            LineAmounts,
            # `price` is after discounts and has float noise; the totals are exact.
            list_unit_price_minor=unit_price(gross_minor, quantity),
            gross_minor=gross_minor,
            discount_minor=gross_minor - net_minor,
            tax_minor=_minor(line, "total_tax", currency, 0),
        ),
    )


def _title(line: Cursor) -> str | None:
    """The name as people read it: WooCommerce sends it as HTML."""
    text = line.optional_text("name")
    return html.unescape(text)[:TEXT_LIMIT].replace("\x00", "") or None if text else None


def _amounts(document: Cursor, lines: tuple[OrderLine, ...], currency: str) -> OrderAmounts:
    told = [line.amounts for line in lines if line.amounts is not None and line.parent is None]
    # The total is made of the lines' totals: discount_total is the same sum, rounded on its own.
    return document.build(
        OrderAmounts,
        taxes_included=False,
        line_gross_minor=sum(one.gross_minor for one in told),
        discount_minor=sum(one.discount_minor for one in told),
        shipping_minor=_minor(document, "shipping_total", currency, 0),
        tax_minor=_minor(document, "total_tax", currency, 0),
        fee_minor=sum(_minor(fee, "total", currency, 0) for fee in document.children("fee_lines")),
        total_minor=_minor(document, "total", currency),
    )


def _discounts(document: Cursor, lines: tuple[OrderLine, ...], currency: str) -> tuple[Discount, ...]:
    """The coupons; which line each takes how much off is told only where there is one coupon."""
    coupons = [(one, _minor(one, "discount", currency, 0)) for one in document.children("coupon_lines")]
    off = [
        (line.line, line.amounts.discount_minor)
        for line in lines
        if line.amounts is not None and line.parent is None and line.amounts.discount_minor
    ]
    split = len(coupons) == 1 and sum(minor for _, minor in off) == coupons[0][1]
    return tuple(
        one.build(
            Discount,
            discount=incidental_id(one, "code"),
            funder=Funder.SELLER,
            amount_minor=amount_minor,
            shares=tuple(DiscountShare(line=line, amount_minor=minor) for line, minor in off) if split else (),
        )
        for one, amount_minor in coupons
    )


def _refunds(
    document: Cursor, currency: str, updated_at: datetime, refunds: Iterable[Cursor] | None
) -> tuple[Refund, ...]:
    """From the refund documents where they are there; from the order's summary otherwise, which has no lines or times."""
    if refunds is not None:
        return tuple(read_refund(one, currency) for one in refunds)
    return tuple(
        one.build(
            Refund,
            refund=one.identifier("id"),
            created_at=updated_at,
            refunded_to_buyer_minor=-_minor(one, "total", currency),
            reason=free_text(one, "reason") or free_text(one, "refund"),
        )
        for one in document.children("refunds")
    )


def _payment_status(
    word: str | None, paid_at: datetime | None, refunds: tuple[Refund, ...], total_minor: int
) -> PaymentStatus:
    """Paid is what has a date of payment; orders paid on delivery are worked on without one."""
    refunded_minor = sum(refund.refunded_to_buyer_minor for refund in refunds)
    if word == "refunded" or (refunded_minor and refunded_minor >= total_minor):
        return PaymentStatus.REFUNDED
    if refunded_minor:
        return PaymentStatus.PARTIALLY_REFUNDED
    return PaymentStatus.PENDING if paid_at is None else PaymentStatus.PAID


def _payments(document: Cursor, total_minor: int, paid_at: datetime | None) -> tuple[Payment, ...]:
    if paid_at is None:
        return ()
    return (
        document.build(
            Payment,
            payment=incidental_id(document, "transaction_id"),
            method=free_text(document, "payment_method_title") or free_text(document, "payment_method"),
            amount_minor=total_minor,
            paid_at=paid_at,
        ),
    )
