"""Draws canonical orders with everything that only the native format can carry."""

from __future__ import annotations

from hypothesis import strategies as st

from omo_core.model.orders import (
    Address,
    Discount,
    DiscountShare,
    Funder,
    Order,
    OrderLine,
    Payment,
    RefundStatus,
)
from tests.channels.strategies import IDS, INSTANTS, MINORS, TEXTS, orders


@st.composite
def full_orders(draw: st.DrawFn) -> Order:
    """An order with discounts, payments, parts of bundles, windows of time, a hold, and a version of its own."""
    order = draw(orders())
    assert order.amounts is not None
    ids = [line.line for line in order.lines]
    lines = tuple(
        line.model_copy(update={"preorder": draw(st.booleans()), "gift": draw(st.booleans())}) for line in order.lines
    )
    named = {"fulfilment": draw(st.none() | IDS), "fulfilment_line": draw(st.none() | IDS)}
    lines = (lines[0].model_copy(update=named), *lines[1:])
    bundle = lines[0].model_copy(update={"bundle": True})
    part = OrderLine(line=f"{bundle.line}.", sku="PART", quantity=2, current_quantity=1, parent=bundle.line)
    if part.line not in ids:
        lines = (bundle, *lines[1:], part)
    delivery = order.deliveries[0].model_copy(
        update={
            "ship_by": draw(st.none() | INSTANTS),
            "not_before": draw(st.none() | INSTANTS),
            "fulfilment": draw(st.none() | IDS),
            "address": draw(st.none() | st.builds(Address, district=TEXTS, masked=st.just(True), token=TEXTS)),
        }
    )
    presentment_total_minor = draw(MINORS) if order.presentment_currency else None
    return order.model_copy(
        update={
            "source_version": draw(st.integers(0, 2**63 - 1)),
            "lines": lines,
            "deliveries": (delivery,),
            "amounts": order.amounts.model_copy(
                update={"platform_discount_minor": draw(MINORS), "presentment_total_minor": presentment_total_minor}
            ),
            "refunds": tuple(
                refund.model_copy(
                    update={
                        "status": draw(st.sampled_from(list(RefundStatus))),
                        "reason": draw(TEXTS),
                        "sellers_share_minor": draw(st.none() | MINORS),
                    }
                )
                for refund in order.refunds
            ),
            "ship_complete": draw(st.booleans()),
            "payments": draw(st.lists(payments(), max_size=2).map(tuple)),
            "discounts": draw(st.lists(discounts(ids), max_size=2).map(tuple)),
            "buyer": draw(st.none() | IDS),
            "hold_reason": draw(TEXTS),
        }
    )


def payments() -> st.SearchStrategy[Payment]:
    return st.builds(Payment, payment=st.none() | IDS, method=TEXTS, amount_minor=MINORS, paid_at=st.none() | INSTANTS)


def discounts(ids: list[str]) -> st.SearchStrategy[Discount]:
    shares = st.builds(DiscountShare, line=st.sampled_from(ids), amount_minor=MINORS)
    return st.builds(
        Discount,
        discount=st.none() | IDS,
        title=TEXTS,
        funder=st.sampled_from(list(Funder)),
        amount_minor=MINORS,
        shares=st.lists(shares, max_size=3).map(tuple),
        shipping_minor=MINORS,
    )
