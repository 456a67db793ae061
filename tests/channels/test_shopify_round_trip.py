"""What Shopify's writers sign, the adapter verifies and reads as the same value."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.port import EventKind, RefundNotice
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Delivery, Discount, DiscountShare, Funder, Order, Payment, Refund, RefundStatus
from omo_core.testing.writers import write_shopify_order, write_shopify_refund
from tests.channels.orders import NOON, plain_order
from tests.channels.strategies import IDS, INSTANTS, MINORS, TEXTS, orders
from tests.channels.test_shopify_contract import REFUNDED, SECRET, rich_order

ADAPTER = ShopifyAdapter(ShopifyConfig(channel="web", secrets=(SECRET,), trust_note_attributes=True))
SOME_MINORS = st.integers(1, 10**9)


@st.composite
def discounts(draw: st.DrawFn, order: Order) -> Discount:
    shares = tuple(
        DiscountShare(line=line.line, amount_minor=draw(MINORS)) for line in order.lines if draw(st.booleans())
    )
    shipping_minor = draw(MINORS)
    return Discount(
        discount=draw(st.none() | IDS),
        title=draw(TEXTS),
        funder=Funder.SELLER,
        amount_minor=sum(share.amount_minor for share in shares) + shipping_minor,
        shares=shares,
        shipping_minor=shipping_minor,
    )


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    amount_minor = draw(SOME_MINORS | SOME_MINORS.map(lambda minor: -minor))
    return Payment(
        payment=draw(st.none() | IDS), method=draw(TEXTS), amount_minor=amount_minor, paid_at=draw(st.none() | INSTANTS)
    )


@st.composite
def full_orders(draw: st.DrawFn) -> Order:
    """An order with all that Shopify's order resource tells."""
    order = draw(orders())
    assert order.amounts is not None
    rounding_minor = draw(st.integers(-4, 4))
    shown = draw(st.none() | MINORS) if order.presentment_currency else None
    amounts = order.amounts.model_copy(
        update={
            "rounding_minor": rounding_minor,
            "total_minor": order.amounts.total_minor + rounding_minor,
            "presentment_total_minor": shown,
        }
    )
    changes: dict[str, Any] = {
        "amounts": amounts,
        "discounts": tuple(draw(st.lists(discounts(order), max_size=3))),
        "payments": tuple(draw(st.lists(payments(), max_size=2))),
        "buyer": draw(st.none() | IDS),
        "hold_reason": draw(st.sampled_from([None, "on_hold"])),
    }
    return order.model_copy(update=changes)


@settings(max_examples=60)
@given(full_orders())
def test_shopify_carries_all_that_its_order_tells(order: Order) -> None:
    headers, body = write_shopify_order(order, secret=SECRET)
    ADAPTER.verify(headers, body)
    found = ADAPTER.parse_event(headers, body).order
    assert found is not None
    assert found.model_copy(update={"body_sha256": None}) == order


@st.composite
def notices(draw: st.DrawFn) -> RefundNotice:
    """A refund as `refunds/create` can tell it."""
    at = draw(INSTANTS)
    units = st.tuples(IDS, st.integers(1, 9))
    quantities = draw(st.lists(units, max_size=3, unique_by=lambda pair: pair[0]))
    return RefundNotice(
        channel="web",
        external_id="1001",
        refund=Refund(
            refund="9",
            created_at=at,
            refunded_to_buyer_minor=draw(MINORS),
            quantities=tuple(quantities),
            status=draw(st.sampled_from([RefundStatus.DONE, RefundStatus.AGREED])),
            reason=draw(TEXTS),
        ),
        updated_at=at,
        returns_goods=draw(st.booleans()) and bool(quantities),
    )


@settings(max_examples=40)
@given(notices())
def test_a_refund_comes_back_as_it_was_written(notice: RefundNotice) -> None:
    headers, body = write_shopify_refund(notice, secret=SECRET, currency="TWD")
    ADAPTER.verify(headers, body)
    event = ADAPTER.parse_event(headers, body)
    assert (event.kind, event.refund, len(event.fetch)) == (EventKind.REFUND, notice, 1)
    assert ADAPTER.parse_refund(body) == notice


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"hold_reason": "the bank asks"}, "hold_reason"),
        ({"ship_complete": True}, "ship_complete"),
        ({"deliveries": (Delivery(ship_by=NOON),)}, "ship_by or not_before"),
        ({"discounts": (Discount(amount_minor=5, funder=Funder.SELLER),)}, "discounts"),
        ({"discounts": (Discount(amount_minor=0, funder=Funder.PLATFORM),)}, "discounts"),
        (
            {
                "discounts": (
                    Discount(amount_minor=5, funder=Funder.SELLER, shares=(DiscountShare(line="no", amount_minor=5),)),
                )
            },
            "discounts",
        ),
        (
            {"refunds": (REFUNDED.refund.model_copy(update={"status": RefundStatus.REQUESTED}),)},
            "refund status",
        ),
    ],
)
def test_the_writer_says_what_it_would_lose(changes: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_shopify_order(plain_order().model_copy(update=changes), secret=SECRET)
    assert write_shopify_order(rich_order(), secret=SECRET)


def test_the_refund_writer_says_what_it_would_lose() -> None:
    odd = REFUNDED.model_copy(
        update={
            "returns_goods": None,
            "updated_at": NOON + timedelta(seconds=1),
            "refund": REFUNDED.refund.model_copy(update={"sellers_share_minor": 1, "status": RefundStatus.REFUSED}),
        }
    )
    with pytest.raises(InvalidInput, match="sellers_share, status, updated_at, returns_goods"):
        write_shopify_refund(odd, secret=SECRET)
