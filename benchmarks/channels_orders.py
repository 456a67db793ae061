"""One order of four lines, as each dialect sends it: the signed message where that holds it, else its documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks import channels_typical
from omo_core.channels.cursor import microseconds
from omo_core.channels.port import ChannelAdapter
from omo_core.channels.registry import adapter
from omo_core.channels.signing import sign_base64, sign_hex
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, LineAmounts, Order, OrderAmounts, OrderLine, Payment, PaymentStatus
from omo_core.testing import writers

SECRET: Final = "a shared secret of a channel"
NOON: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LINES: Final = (("MUG-BLUE", 2, 1250), ("TEA-100", 1, 1000), ("BOWL-S", 3, 890), ("SPOON", 1, 450))
"""(SKU, quantity, unit price)"""

Message = tuple[Mapping[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Typical:
    """An order as an adapter gets it: a message that holds it, or the documents that are fetched."""

    adapter: ChannelAdapter
    message: Message | None = None
    documents: tuple[bytes, ...] = ()

    @property
    def bodies(self) -> tuple[bytes, ...]:
        """All that is read."""
        return (self.message[1],) if self.message else tuple(body for body in self.documents if body)

    def read(self) -> Order:
        """What the intake does: verify and read the message, or read what was fetched."""
        if self.message is None:
            return self.adapter.parse_order(*self.documents)
        headers, body = self.message
        self.adapter.verify(headers, body)
        order = self.adapter.parse_event(headers, body).order
        assert order is not None
        return order


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a dialect writes the order, and what it says in another way than the others."""

    write: Callable[[Order], Message | bytes | tuple[bytes, ...]]
    config: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    line: Callable[[int], Mapping[str, Any]] = lambda place: {"line": str(10**11 + place)}
    amounts: Mapping[str, Any] = field(default_factory=dict)
    json: bool = True
    signed: Callable[[bytes], Mapping[str, str]] | None = None
    """The headers that sign the body again, where the message holds the order as it stands."""


def typical(name: str) -> Typical:
    """The order with the other fields that its platform sends, signed with them; checked to be read as the bare one."""
    bare, dialect = lean(name), DIALECTS[name]
    if bare.message is None:
        found = replace(bare, documents=channels_typical.fill(name, bare.documents))
    elif dialect.signed:
        (body,) = channels_typical.fill(name, bare.bodies)
        found = replace(bare, message=({**bare.message[0], **dialect.signed(body)}, body))
    else:
        found = bare
    read, expected = (one.read().model_copy(update={"body_sha256": None}) for one in (found, bare))
    assert read == expected, name
    return found


def lean(name: str) -> Typical:
    """The order as our writer alone writes it, checked to be read as it was written."""
    dialect = DIALECTS[name]
    order = typical_order(dialect)
    built = adapter(name.removesuffix("_message"), {"channel": order.channel, **dialect.config})
    written = dialect.write(order)
    found = (
        Typical(built, documents=(written,))
        if isinstance(written, bytes)
        else Typical(built, documents=written)
        if isinstance(written[0], bytes)
        else Typical(built, message=written)
    )
    read = found.read()
    assert read.oddities == (), read.oddities
    assert read.model_copy(update={"body_sha256": None}) == order, name
    return found


def typical_order(dialect: Dialect) -> Order:
    """Four lines, one delivery to a door, paid."""
    lines = tuple(
        OrderLine(
            **{
                "line": str(place),
                "sku": sku,
                "quantity": quantity,
                "current_quantity": quantity,
                "title": f"{sku} of the house",
                "amounts": LineAmounts(list_unit_price_minor=price, gross_minor=price * quantity),
                **dialect.line(place),
            }
        )
        for place, (sku, quantity, price) in enumerate(LINES, start=1)
    )
    gross = sum(quantity * price for _, quantity, price in LINES)
    money = {"taxes_included": True, "line_gross_minor": gross, "shipping_minor": 500, "total_minor": gross + 500}
    address: dict[str, Any] = {
        "recipient": "Ann Example",
        "phone": "13800138000",
        "street": ("1 Main Street",),
        "city": "Springfield",
    }
    fields = {
        "channel": "shop",
        "external_id": "820982911946154",
        "source_version": microseconds(NOON),
        "payment": PaymentStatus.PAID,
        "placed_at": NOON - timedelta(minutes=5),
        "updated_at": NOON,
        "currency": "CNY",
        "lines": lines,
        "deliveries": (Delivery(address=Address(**address)),),
        "amounts": OrderAmounts(**{**money, **dialect.amounts}),
    }
    return Order(**{**fields, **dialect.order})


def _named_by(pattern: str, **more: str) -> Callable[[int], Mapping[str, Any]]:
    """Lines whose id, and other fields, are made of their place (`{0}`) and SKU (`{1}`)."""

    def name(place: int) -> Mapping[str, Any]:
        texts = {"line": pattern, **more}
        return {field_: text.format(10**11 + place, LINES[place - 1][0]) for field_, text in texts.items()}

    return name


def _to(**address: Any) -> Mapping[str, Any]:
    plain: dict[str, Any] = {"recipient": "Ann Example", "street": ("1 Main Street",), "city": "Springfield"}
    return {"deliveries": (Delivery(address=Address(**{**plain, **address})),)}


_SIGNED: Final[Mapping[str, Any]] = {"secrets": (SECRET,)}
_NUMBERED: Final[Mapping[str, Any]] = {"external_id": "1001", "display_number": "1001"}
_PAID: Final[Mapping[str, Any]] = {
    "payments": (Payment(payment="p1", method="CARD", amount_minor=7120, paid_at=NOON),),
}

DIALECTS: Final[Mapping[str, Dialect]] = {
    "amazon": Dialect(
        writers.write_amazon_order,
        order={"payment": PaymentStatus.AUTHORISED, "display_number": "S-1"},
        amounts={"taxes_included": False},
    ),
    "bigcommerce": Dialect(
        writers.write_bigcommerce_order,
        order={
            **_NUMBERED,
            "deliveries": (Delivery(address=Address(recipient="Ann Example"), fulfilment="1"),),
            "payments": (Payment(method="Cash", amount_minor=7120),),
        },
    ),
    "csv": Dialect(lambda order: writers.write_csv_orders([order]), json=False),
    "douyin": Dialect(writers.write_douyin_order, order=_to(country="CN"), line=_named_by("{0}", listing="{0}")),
    "ebay": Dialect(writers.write_ebay_order, amounts={"taxes_included": False}),
    "jd": Dialect(
        writers.write_jd_order,
        order={**_to(country="CN"), "payments": (Payment(method="4-在线支付", amount_minor=7120),)},
        line=_named_by("{0}", listing="{0}"),
    ),
    "meituan": Dialect(
        lambda order: writers.write_meituan_order(order, secret=SECRET),
        config=_SIGNED,
        order={
            "deliveries": (Delivery(method=DeliveryMethod.ONE_HOUR, address=Address(recipient="Ann", country="CN")),),
            "payments": (Payment(method="online", amount_minor=7120, paid_at=NOON - timedelta(minutes=5)),),
        },
        line=_named_by("{0}/{1}", listing="{1}"),
        json=False,
    ),
    "native": Dialect(
        lambda order: writers.write_native_order(order, secret=SECRET),
        config=_SIGNED,
        signed=lambda body: {"X-Omo-Signature": "sha256=" + sign_hex(SECRET, body)},
    ),
    "shopee": Dialect(writers.write_shopee_order, line=_named_by("{0}-7", listing="{0}-7")),
    "shopify": Dialect(
        lambda order: writers.write_shopify_order(order, secret=SECRET),
        config=_SIGNED,
        signed=lambda body: {"X-Shopify-Hmac-Sha256": sign_base64(SECRET, body)},
    ),
    "square": Dialect(
        writers.write_square_order,
        line=_named_by("{0}", listing="{1}"),
        amounts={"shipping_minor": 0, "total_minor": 6620},
        order={"payments": (Payment(payment="p1", method="CARD", amount_minor=6620, paid_at=NOON),)},
    ),
    "taobao": Dialect(writers.write_taobao_order),
    "wechat_shop": Dialect(
        writers.write_wechat_shop_order, order=_to(country="CN"), line=_named_by("7/{0}", listing="{0}")
    ),
    "woocommerce": Dialect(
        lambda order: writers.write_woocommerce_order(order, secret=SECRET),
        config=_SIGNED,
        order={**_NUMBERED, **_PAID},
        amounts={"taxes_included": False},
        signed=lambda body: {"X-WC-Webhook-Signature": sign_base64(SECRET, body)},
    ),
    "xiaohongshu": Dialect(
        writers.write_xiaohongshu_order, order=_to(country="CN"), line=_named_by("{0}", listing="{0}")
    ),
    "youzan": Dialect(writers.write_youzan_document),
    "youzan_message": Dialect(
        lambda order: writers.write_youzan_order(order, secret=SECRET),
        config={**_SIGNED, "client_id": "client"},
        json=False,  # the order stands in it as a text that is quoted for an address
    ),
}
