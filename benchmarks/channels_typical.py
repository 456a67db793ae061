"""Makes a bare order typical: the fields that a platform sends with every order, and that nobody here reads, join it.

Our writers write only what our readers read. What a platform really sends is two to four times as long: addresses of
pictures, flags, nulls, each amount in two currencies. `channels_typical.json` holds, for each dialect and each of its
documents, such other fields in the document's own shape; a list there has one element, whose fields join every element
of the document's list. Names are the platforms'; values are made up, of the same kind and length. Nothing that a writer
wrote is changed.

`REAL` is what published orders of the platform have, the median of them, and `OURS` what four typical lines of our own
have, both without the envelope, as (fields of the order, fields of a line, bytes of the order, bytes of a line): a
field is a key at any depth, the order's are those outside of its lines, and bytes are of compact UTF-8 JSON.

    amazon       7 orders of the documentation's examples and sandbox, version 2026
    bigcommerce  the documentation's order, its products and its consignments
    douyin       1 order as a gateway passes it on
    ebay         1 order of a seller in the United States
    jd           1 order, and the fields of an item in the platform's own SDK; only what was asked for comes back
    shopee       the documentation's order detail and escrow detail
    shopify      29 orders: webhooks as they were received, and answers of the Admin API
    square       5 examples of the documentation; ours has a payment and a delivery that those have not
    taobao       1 order of an ERP's tests
    wechat_shop  1 order as a gateway passes it on, cut by it; the writer's own is longer, and nothing joins it
    woocommerce  8 orders of the documentation
    xiaohongshu  1 order as a gateway passes it on
    youzan       the documentation's order and a pushed one

The native format is our own: what the writer writes is what it looks like, but that a sender leaves nulls out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

_TABLES: Final = Path(__file__).with_suffix(".json")
_NATIVE: Final = "native"


class Size(NamedTuple):
    """How much an order is."""

    order_fields: int
    line_fields: int
    order_bytes: int
    line_bytes: int


REAL: Final = {
    "amazon": Size(68, 34, 1836, 748),
    "bigcommerce": Size(155, 83, 4117, 1884),
    "douyin": Size(90, 110, 2361, 2886),
    "ebay": Size(75, 42, 1890, 1048),
    "jd": Size(33, 10, 800, 190),
    "shopee": Size(201, 55, 5310, 1472),
    "shopify": Size(218, 51, 4873, 1058),
    "square": Size(47, 30, 866, 578),
    "taobao": Size(80, 26, 2093, 695),
    "wechat_shop": Size(23, 20, 477, 526),
    "woocommerce": Size(87, 20, 1883, 319),
    "xiaohongshu": Size(39, 29, 968, 600),
    "youzan": Size(92, 17, 2212, 538),
}
OURS: Final = {
    "amazon": Size(68, 34, 1582, 665),
    "bigcommerce": Size(139, 82, 3862, 1905),
    "douyin": Size(90, 110, 1938, 2819),
    "ebay": Size(75, 42, 1551, 860),
    "jd": Size(33, 10, 753, 200),
    "shopee": Size(201, 55, 5213, 1292),
    "shopify": Size(218, 51, 4811, 1150),
    "square": Size(80, 28, 1539, 533),
    "taobao": Size(80, 26, 1905, 650),
    "wechat_shop": Size(66, 34, 1469, 878),
    "woocommerce": Size(79, 21, 1750, 324),
    "xiaohongshu": Size(44, 29, 976, 636),
    "youzan": Size(78, 17, 1720, 437),
}
"""Measured; where the writer alone has more than the platform's examples, that is what it is."""

Step = str | int
PLACES: Final[dict[str, tuple[tuple[tuple[Step, ...], tuple[Step, ...] | None], ...]]] = {
    "amazon": ((("order",), ("orderItems",)),),
    "bigcommerce": (((), None), ((), ()), ((), None)),
    "douyin": ((("data", "shop_order_detail"), ("sku_order_list",)),),
    "ebay": (((), ("lineItems",)),),
    "jd": ((("jingdong_pop_order_get_responce", "orderDetailInfo", "orderInfo"), ("itemInfoList",)),),
    "shopee": ((("response", "order_list", 0), ("item_list",)), (("response",), ("order_income", "items"))),
    "shopify": (((), ("line_items",)),),
    "square": ((("order",), ("line_items",)),),
    "taobao": ((("trade_fullinfo_get_response", "trade"), ("orders", "order")),),
    "wechat_shop": ((("order",), ("order_detail", "product_infos")),),
    "woocommerce": (((), ("line_items",)),),
    "xiaohongshu": ((("data",), ("skuList",)),),
    "youzan": ((("response",), ("full_order_info", "orders")),),
}
"""Of each document that is counted: where the order stands in it, and where the lines stand in the order."""


def fill(name: str, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
    """The documents with their dialect's other fields; as they are where the dialect has none."""
    if name == _NATIVE:
        return tuple(_bytes(_without_nulls(json.loads(body))) for body in bodies)
    tables = _tables().get(name, [])
    filled = [_bytes(_joined(json.loads(body), table)) for body, table in zip(bodies, tables, strict=False)]
    return (*filled, *bodies[len(filled) :])


def size(name: str, bodies: Sequence[bytes]) -> Size:
    """What the order of these documents has, its lines' share as the mean of them."""
    totals = [0.0] * len(Size._fields)
    for body, (root, place) in zip(bodies, PLACES[name], strict=False):
        order = _at(json.loads(body), root)
        lines = [] if place is None else _at(order, place)
        share = max(len(lines), 1)
        fields, length = sum(map(_fields, lines)), sum(len(_bytes(line)) for line in lines)
        counts = (_fields(order) - fields, fields / share, len(_bytes(order)) - length, length / share)
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
    return Size(*map(round, totals))


@cache
def _tables() -> dict[str, list[Any]]:
    tables: dict[str, list[Any]] = json.loads(_TABLES.read_bytes())
    return tables


def _joined(document: Any, table: Any) -> Any:
    """The document, into which the table's fields were put wherever it had none of the name."""
    if isinstance(document, dict) and isinstance(table, dict):
        for name, value in table.items():
            document[name] = _joined(document[name], value) if name in document else value
    elif isinstance(document, list) and isinstance(table, list) and table:
        for element in document:
            _joined(element, table[0])
    return document


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _fields(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_fields, value.values()))
    return sum(map(_fields, value)) if isinstance(value, list) else 0


def _at(value: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
