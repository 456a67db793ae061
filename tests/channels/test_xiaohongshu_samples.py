"""Every published payload of Xiaohongshu beside this repository is read."""

import json
from pathlib import Path

from omo_core.channels.signing import md5_hex
from omo_core.channels.xiaohongshu import XiaohongshuAdapter
from omo_core.model.orders import OrderStatus, PaymentStatus
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

FOLDER = FACTS / "samples" / "xiaohongshu"


def test_no_sample_is_forgotten(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "xiaohongshu").iterdir()}
    assert {name for name in files if not name.endswith(".source.txt")} == {"gateway_order_detail.json"}


def test_a_gateways_example_of_an_order() -> None:
    """Its values are placeholders: a pack of five, sold ten times, without the order's total."""
    order = XiaohongshuAdapter().parse_order((FOLDER / "gateway_order_detail.json").read_bytes())
    assert (order.external_id, order.status, order.payment) == ("123456", OrderStatus.OPEN, PaymentStatus.PAID)
    assert order.hold_reason == "已支付处理中"
    assert order.updated_at.isoformat() == "2022-01-01T00:00:00+00:00"
    assert [(one.line, one.sku, one.quantity, one.bundle) for one in order.lines] == [
        ("sku123", "erp123", 10, True),
        ("sku123/part-1", "detailErp123", 50, False),
    ]
    assert order.lines[0].amounts is not None
    assert (order.lines[0].amounts.gross_minor, order.lines[0].amounts.discount_minor) == (1000, 100)
    assert order.amounts is None
    assert order.deliveries[0].service == "物流方案名称"
    assert [one.path for one in order.oddities] == ["$.data.skuList[0].skuDetailList"]


def test_the_published_vector_of_the_older_gateway(channel_facts: Path) -> None:
    """Of the older gateway only a vector is published; it shares the digest, not the text, with the one that is used."""
    vectors = json.loads((channel_facts / "signature_vectors.json").read_text("utf-8"))
    (vector,) = [one for one in vectors if one["id"] == "xiaohongshu_v1_md5"]
    assert md5_hex(vector["body"] + vector["key"]) == vector["expected"]
