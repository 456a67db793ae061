"""What the native channel asks of its host, and how the host's answers are read."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from omo_core.channels.intents import (
    AnswerRefund,
    CancelOrder,
    FetchOrder,
    ListChanges,
    Parcel,
    ReadyForPickup,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.refusals import Refusal
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.writers.native import native_order_document
from tests.channels.orders import plain_order

ADAPTER = NativeAdapter(NativeConfig(channel="web", secrets=("s3cret", "older"), endpoint="https://shop.example/omo"))
ORDER = native_order_document(plain_order())
SINCE = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)


def made(intent: Any) -> list[Request]:
    found = ADAPTER.requests(intent)
    assert not isinstance(found, Refusal), found
    return list(found)


def sent(intent: Any) -> dict[str, Any]:
    (request,) = made(intent)
    assert (request.method, request.url, request.operation) == ("POST", "https://shop.example/omo", intent.kind)
    document: dict[str, Any] = json.loads(request.body)
    assert {name: document.pop(name) for name in ("type", "version", "channel", "key")} == {
        "type": intent.kind,
        "version": 1,
        "channel": "web",
        "key": intent.key,
    }
    return document


def test_what_we_send_is_verified_as_what_we_get() -> None:
    (request,) = made(FetchOrder(key="k", external_id="1"))
    signed = ADAPTER.sign(request, now=NOW)
    ADAPTER.verify(dict(signed.headers), signed.body)
    NativeAdapter(NativeConfig(secrets=("s3cret",))).verify(dict(signed.headers), signed.body)
    with pytest.raises(InvalidInput, match="channel native has no secret to sign with"):
        NativeAdapter(NativeConfig(endpoint="https://shop.example/omo")).sign(request, now=NOW)


def test_without_an_endpoint_nothing_is_sent() -> None:
    for intent in Samples(location="TPE-01").intents():
        refusal = NativeAdapter().requests(intent)
        assert isinstance(refusal, Refusal)
        assert "no endpoint is configured to send it to" in refusal.sentence


@pytest.mark.parametrize(
    "endpoint",
    ["http://shop.example", "https://", "https://u:p@shop.example", "https://shop.example/?a=b", "file:///x"],
)
def test_an_endpoint_is_an_https_address_without_credentials(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        NativeConfig(endpoint=endpoint)


def test_stock_goes_in_slices_with_keys_of_their_own() -> None:
    levels = tuple(StockLevel(listing=f"L{n}", sku=f"S{n}", location="TPE-01", units=n) for n in range(1_001))
    requests = made(SetStock(key="k", levels=levels, as_of=NOW))
    documents = [json.loads(request.body) for request in requests]
    assert [(one["key"], len(one["levels"])) for one in documents] == [("k/1", 1_000), ("k/2", 1)]
    assert documents[1]["levels"] == [{"listing": "L1000", "sku": "S1000", "location": "TPE-01", "units": 1000}]
    assert requests[1].items == ("L1000",)
    relative = SetStock(key="k", mode=StockMode.RELATIVE, levels=(StockLevel(listing="L", units=-3),), as_of=NOW)
    assert sent(relative) == {
        "mode": "relative",
        "as_of": "2026-11-21T12:00:00Z",
        "levels": [{"listing": "L", "units": -3}],
    }


def test_shipments_cancellations_and_refunds_say_what_they_are_about() -> None:
    parcel = Parcel(carrier="SF", tracking="T1", quantities=(("11", 1),), shipped_at=NOW)
    assert sent(Ship(key="k", external_id="1", parcels=(parcel,), completes=False)) == {
        "external_id": "1",
        "completes": False,
        "parcels": [
            {
                "carrier": "SF",
                "tracking": "T1",
                "shipped_at": "2026-11-21T12:00:00Z",
                "lines": [{"line": "11", "quantity": 1}],
            }
        ],
    }
    assert sent(ReadyForPickup(key="k", external_id="1", fulfilment="f")) == {"external_id": "1", "fulfilment": "f"}
    assert sent(CancelOrder(key="k", external_id="1", reason="sold out", quantities=(("11", 2),))) == {
        "external_id": "1",
        "reason": "sold out",
        "lines": [{"line": "11", "quantity": 2}],
        "restock": False,
    }
    answer = AnswerRefund(key="k", external_id="1", refund="r", accept=True, amount_minor=1200, currency="JPY")
    assert sent(answer) == {"external_id": "1", "refund": "r", "accept": True, "amount": "1200", "currency": "JPY"}
    with pytest.raises(InvalidInput, match="refund r names an amount and no currency"):
        made(answer.model_copy(update={"currency": None}))


def test_a_host_may_answer_item_by_item() -> None:
    intent = SetStock(key="k", levels=tuple(StockLevel(listing=one, units=1) for one in "ab"), as_of=NOW)
    (request,) = made(intent)

    def read(document: Any, status: int = 200) -> Any:
        return ADAPTER.read_answer(intent, request, Response(status=status, body=json.dumps(document).encode()))

    answer = read({"items": [{"item": "b", "ok": False, "code": "gone", "message": "no such item"}], "reference": "7"})
    assert [(one.item, one.ok, one.code) for one in answer.items] == [("a", True, None), ("b", False, "gone")]
    assert (answer.reference, answer.ok) == ("7", False)
    assert ADAPTER.read_answer(intent, request, Response(status=204)).ok
    assert [one.code for one in read({"items": []}, status=400).items] == ["http_400", "http_400"]
    for document, says in [
        ({"items": [{"item": "c"}]}, "$.items[0].item is none that was sent"),
        ({"item": []}, "'item' is not a known field"),
        ([1], "$ is a list; send an object"),
    ]:
        with pytest.raises(UnreadableBody, match=re.escape(says)):
            read(document)


def test_a_page_keeps_what_can_be_read_and_names_the_rest() -> None:
    intent = ListChanges(key="k", since=SINCE, until=NOW)
    assert sent(intent) == {"since": "2026-11-21T11:00:00Z", "until": "2026-11-21T12:00:00Z"}
    references = [{"external_id": "3", "updated_at": "2026-11-21T11:30:00Z"}, {"external_id": "4"}]
    page = {"orders": [ORDER, {**ORDER, "external_id": "2", "lines": []}, {}], "references": references, "cursor": "n"}
    found = ADAPTER.read_page(intent, json.dumps(page).encode())
    assert [order.external_id for order in found.orders] == [ORDER["external_id"]]
    assert [name for name, _ in found.unreadable] == ["2", "$.orders[2]"]
    assert [one.external_id for one in found.references] == ["3", "4"]
    assert found.following == intent.model_copy(update={"cursor": "n"})
    assert ADAPTER.read_page(intent, b'{"orders": []}').following is None
    assert ADAPTER.read_answer(intent, made(intent)[0], Response(status=200, body=b'{"orders": []}')).ok
