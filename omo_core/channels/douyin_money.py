"""Reads the money of a 抖店 order: who gave which discount, and what its total is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, minor
from omo_core.model.orders import Discount, DiscountShare, Funder, LineAmounts, OrderAmounts

_BEARERS: Final = (
    ("shop_cost_amount", "shop_cost", Funder.SELLER),
    ("only_platform_cost_amount", "platform_cost", Funder.PLATFORM),
    ("author_cost_amount", "author_cost", Funder.PARTNER),
)
"""Who bears how much of the discounts: at the order and its lines, and inside each coupon."""
_OWNERS: Final = (
    ("promotion_shop_amount", "shop_discount_detail", Funder.SELLER),
    ("promotion_platform_amount", "platform_discount_detail", Funder.PLATFORM),
    ("promotion_talent_amount", "kol_discount_detail", Funder.PARTNER),
)
"""Whose campaigns the discounts are, where nobody says who bears them."""
_KINDS: Final = (
    ("coupon_info", "coupon_id", "coupon_name"),
    ("full_discount_info", "campaign_id", "campaign_name"),
    ("redpack_info", "redpack_trans_id", ""),
)
_MAYBE: Final = ("tax_amount", "modify_amount", "modify_post_amount", "post_insurance_amount")


def read_amounts(document: Cursor, lines: Sequence[LineAmounts]) -> OrderAmounts:
    """The order's money. order_amount is what its parts are before discounts, pay_amount what is left of it.

    The documentation does not say whether tax, a price or a postage that the seller changed and an insurance are in the
    amounts already; the order's own total decides.
    """
    gross = sum(line.gross_minor for line in lines)
    discount = minor(document, "promotion_amount", sum(line.discount_minor for line in lines))
    post, post_discount = minor(document, "post_amount", 0), minor(document, "post_promotion_amount", 0)
    packing, total = minor(document, "packing_amount", 0), minor(document, "pay_amount")
    missing = minor(document, "order_amount", total + discount) - gross - post - packing
    added = dict(_added(document, missing))
    changed, post_changed = added.get("modify_amount", 0), added.get("modify_post_amount", 0)
    return document.build(
        OrderAmounts,
        taxes_included="tax_amount" not in added,
        line_gross_minor=gross,
        discount_minor=discount + post_discount + max(0, -changed) + max(0, -post_changed),
        shipping_minor=post + post_discount + max(0, post_changed),
        tax_minor=minor(document, "tax_amount", 0),
        fee_minor=packing + max(0, changed) + added.get("post_insurance_amount", 0),
        total_minor=total,
        platform_discount_minor=_platforms_part(document),
    )


def _added(document: Cursor, missing: int) -> tuple[tuple[str, int], ...]:
    """The amounts beside the lines that together are what the lines lack of the order's total; none where none are."""
    there = [(key, amount) for key in _MAYBE if (amount := minor(document, key, 0))]
    for size in range(len(there) + 1):
        for some in combinations(there, size):
            if sum(amount for _, amount in some) == missing:
                return some
    return ()


def _platforms_part(document: Cursor) -> int:
    """What the platform bears; platform_cost_amount is that and what the host of a live stream bears."""
    if document.has("only_platform_cost_amount"):
        return minor(document, "only_platform_cost_amount")
    borne = minor(document, "platform_cost_amount", 0) - minor(document, "author_cost_amount", 0)
    told = borne or minor(document, "shop_cost_amount", 0)
    return borne if told else minor(document, "promotion_platform_amount", 0)


def read_discounts(document: Cursor, rows: Sequence[Cursor]) -> tuple[Discount, ...]:
    """Discounts by who bears them, or by whose campaigns they are where the former do not make the whole."""
    whole = minor(document, "promotion_amount", 0)
    borne = sum(minor(document, key, 0) for key, _, _ in _BEARERS)
    found = []
    for amount_key, detail_key, funder in _BEARERS if whole and borne == whole else _OWNERS:
        amount = minor(document, amount_key, 0)
        if amount:
            names = list(_names(document, detail_key, funder))
            found.append(
                document.build(
                    Discount,
                    discount=names[0][0] if len(names) == 1 else None,
                    title="; ".join(name for _, name in names if name)[:200] or None,
                    funder=funder,
                    amount_minor=amount,
                    shares=_shares(rows, amount_key),
                )
            )
    post_discount = minor(document, "post_promotion_amount", 0)
    if post_discount:
        found.append(Discount(amount_minor=post_discount, shipping_minor=post_discount))
    return tuple(found)


def _shares(rows: Sequence[Cursor], key: str) -> tuple[DiscountShare, ...]:
    parts = ((row.identifier("order_id"), minor(row, key, 0)) for row in rows)
    return tuple(DiscountShare(line=line, amount_minor=amount) for line, amount in parts if amount)


def _names(document: Cursor, detail_key: str, funder: Funder) -> Iterator[tuple[str | None, str | None]]:
    """Ids and names of the coupons and campaigns behind a discount: those that its bearer shares, or its owner's."""
    details = document.optional_child("promotion_detail")
    for owner_key, owner, whose in _sections(details):
        for kind, id_key, name_key in _KINDS:
            for one in owner.children(kind):
                shared = one.optional_child("share_discount_cost")
                bears = whose is funder if shared is None else minor(shared, detail_key, 0) > 0
                if owner_key == detail_key or (detail_key.endswith("_cost") and bears):
                    yield one.optional_identifier(id_key), free_text(one, name_key) if name_key else None


def _sections(details: Cursor | None) -> Iterator[tuple[str, Cursor, Funder]]:
    if details is not None:
        for _, key, whose in _OWNERS:
            section = details.optional_child(key)
            if section is not None:
                yield key, section, whose
