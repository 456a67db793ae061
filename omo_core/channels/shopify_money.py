"""Reads the money of a Shopify order: amounts, the discounts as Shopify split them, and payments.

Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order (amounts, discount_applications),
https://shopify.dev/docs/api/admin-rest/latest/resources/transaction and
https://shopify.dev/docs/api/admin-graphql/latest/objects/CashRoundingAdjustment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, incidental_id
from omo_core.model.errors import InvalidMoney
from omo_core.model.orders import Discount, DiscountShare, Funder, OrderAmounts, OrderLine, Payment, PaymentStatus

_PAID_OR_PROMISED: Final = frozenset({PaymentStatus.AUTHORISED, PaymentStatus.PARTIALLY_PAID, PaymentStatus.PAID})

Allocations = list[tuple[int | None, int]]
"""(index of the discount application, minor units) of one line; None where the allocation names none."""


def is_pos(document: Cursor) -> bool:
    """Whether Shopify's point of sale made the order."""
    return document.optional_text("source_name") == "pos"


def total(parts: Iterable[Cursor], key: str, currency: str, noise: bool = False) -> int:
    """The sum of one field of several objects."""
    return sum(part.amount(key, currency, noise=noise) for part in parts)


def shop_minor(cursor: Cursor, key: str, currency: str) -> int:
    """Minor units of a two-currency amount in the shop's own currency, the order's; 0 where it is missing."""
    both = cursor.optional_child(key)
    if both is None:
        return 0
    money = both.child("shop_money")
    if money.currency("currency_code") != currency:
        path = f"{money.path}.currency_code"
        raise InvalidMoney(f"{path} is not the order's {currency}; send the shop's money in one currency", path=path)
    return money.amount("amount", currency)


def read_allocations(line: Cursor, currency: str, noise: bool) -> Allocations:
    """What each discount takes off a line of goods or of shipping, as Shopify split it."""
    return [
        (
            None
            if one.fields.get("discount_application_index") is None
            else one.integer("discount_application_index", least=0, most=10_000, what="the discount's place"),
            one.amount("amount", currency, noise=noise),
        )
        for one in line.children("discount_allocations")
    ]


def read_discounts(
    document: Cursor, by_line: Iterable[tuple[str, Allocations]], shipping: Iterable[Allocations]
) -> tuple[Discount, ...]:
    """Every discount application with what it takes off which line; one that takes nothing off is kept with 0.

    `by_line` holds (line, allocations). Allocations that name no application stay in the lines' sums only.
    """
    applications = list(document.children("discount_applications"))
    if not applications:
        return ()
    shares: defaultdict[int, list[DiscountShare]] = defaultdict(list)
    off_shipping: defaultdict[int, int] = defaultdict(int)
    for line, allocations in by_line:
        for index, amount_minor in allocations:
            if index is not None:
                shares[index].append(document.build(DiscountShare, line=line, amount_minor=amount_minor))
    for allocations in shipping:
        for index, amount_minor in allocations:
            if index is not None:
                off_shipping[index] += amount_minor
    unknown = (shares.keys() | off_shipping.keys()) - set(range(len(applications)))
    if unknown:
        document.odd("discount_applications", f"has no entry {min(unknown)}, which an allocation names")
    return tuple(
        one.build(
            Discount,
            discount=incidental_id(one, "code"),
            title=free_text(one, "title"),
            # A shop's discounts are the shop's own money; Shopify pays for none of them.
            funder=Funder.SELLER,
            amount_minor=sum(share.amount_minor for share in shares[index]) + off_shipping[index],
            shares=tuple(shares[index]),
            shipping_minor=off_shipping[index],
        )
        for index, one in enumerate(applications)
    )


def read_amounts(
    document: Cursor, lines: tuple[OrderLine, ...], shipping: list[Cursor], currency: str, allocated_minor: int
) -> OrderAmounts:
    """The order's amounts as placed; `allocated_minor` is the sum of all discount allocations."""
    noise = is_pos(document)
    included = document.boolean("duties_included", False)
    duties = 0 if included else shop_minor(document, "original_total_duties_set", currency)
    # A tip that stands among the lines is in their sum already.
    tip_is_line = any(line.get("tip") is not None for line in document.fields["line_items"])
    tax = 0 if document.has("total_tax") else total(document.children("tax_lines"), "price", currency, noise)
    # Cash is rounded when it is paid, after total_price; with it the total is what the buyer really gave.
    rounding = shop_minor(document, "total_cash_rounding_payment_adjustment_set", currency)
    return document.build(
        OrderAmounts,
        taxes_included=document.boolean("taxes_included", False),
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=document.amount("total_discounts", currency, allocated_minor, noise=noise),
        shipping_minor=total(shipping, "price", currency, noise),
        tax_minor=document.amount("total_tax", currency, tax, noise=noise),
        tip_minor=0 if tip_is_line else document.amount("total_tip_received", currency, 0, noise=noise),
        fee_minor=duties + shop_minor(document, "original_total_additional_fees_set", currency),
        rounding_minor=rounding,
        total_minor=document.amount("total_price", currency, noise=noise) + rounding,
        presentment_total_minor=_presentment_total(document),
    )


def _presentment_total(document: Cursor) -> int | None:
    both = document.optional_child("total_price_set")
    if both is None or not document.has("presentment_currency"):
        return None
    money = both.optional_child("presentment_money")
    currency = document.currency("presentment_currency")
    if money is None:
        return None
    if money.currency("currency_code") != currency:
        path = f"{money.path}.currency_code"
        raise InvalidMoney(f"{path} is not the order's presentment_currency {currency}; send one currency", path=path)
    return money.amount("amount", currency, noise=is_pos(document))


def read_payments(document: Cursor, currency: str, status: PaymentStatus) -> tuple[Payment, ...]:
    """What was paid or promised, from the transactions; without those, from the gateways' names.

    An order without transactions tells only the sum: what is not outstanding. After a refund not even that is plain,
    and nothing is said.
    """
    transactions = list(document.children("transactions"))
    if transactions:
        return tuple(_from_transactions(transactions, currency))
    names = [name for name in document.texts("payment_gateway_names") if name]
    if not names or status not in _PAID_OR_PROMISED or document.fields.get("refunds"):
        return ()
    if not document.has("total_outstanding"):
        return ()
    now = "current_total_price" if document.has("current_total_price") else "total_price"
    noise = is_pos(document)
    paid = document.amount(now, currency, noise=noise) - document.amount("total_outstanding", currency, noise=noise)
    if paid <= 0:
        return ()
    return (document.build(Payment, method=", ".join(names)[:200], amount_minor=paid),)


def _from_transactions(transactions: list[Cursor], currency: str) -> Iterable[Payment]:
    done = [one for one in transactions if one.optional_text("status") == "success"]
    # An authorisation that was captured or voided is told by what became of it.
    settled = {one.optional_identifier("parent_id") for one in done if one.optional_text("kind") in ("capture", "void")}
    for one in done:
        kind = one.optional_text("kind")
        identity = one.optional_identifier("id")
        given = kind in ("sale", "capture", "change") or (kind == "authorization" and identity not in settled)
        if not given or (one.optional_text("currency") or currency) != currency:
            continue
        amount_minor = one.amount("amount", currency)
        yield one.build(
            Payment,
            payment=incidental_id(one, "id"),
            method=free_text(one, "gateway"),
            # Change is the cash a till gave back.
            amount_minor=-abs(amount_minor) if kind == "change" else amount_minor,
            paid_at=one.optional_instant("processed_at") or one.optional_instant("created_at"),
        )
