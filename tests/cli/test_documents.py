from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from omo_core.channels.native import NativeAdapter
from omo_core.channels.registry import channel_names
from omo_core.testing.writers import write_native_order, write_shopify_order
from tests.batch.shop import TAIPEI, Shop, order, sale
from tests.channels.orders import plain_order
from tests.cli.conftest import Omo

INSTALLED = ", ".join(channel_names())


def written(folder: Path, document: Any, name: str = "document.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_an_order_becomes_canonical(omo: Omo, tmp_path: Path) -> None:
    said = omo("normalise", "--channel", "native", written(tmp_path, order(7, quantity=2)))
    assert (said.code, said.err) == (0, "")
    assert said.json["external_id"] == "7"
    assert said.json["lines"][0]["current_quantity"] == 2


def test_several_orders_stand_in_a_list(omo: Omo, tmp_path: Path) -> None:
    said = omo("normalise", "--channel", "native", written(tmp_path, [order(7), order(8)]))
    assert [one["external_id"] for one in said.json["orders"]] == ["7", "8"]


def test_another_document_is_the_event_it_is(omo: Omo, tmp_path: Path) -> None:
    said = omo("normalise", "--channel", "native", written(tmp_path, sale(3)))
    assert said.json["kind"] == "counter_sale"
    assert said.json["counter_sale"]["node"] == "TPE"


def test_standard_input_is_read(omo: Omo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(order(7)).encode())))
    assert omo("normalise", "--channel", "native", "-").json["external_id"] == "7"


def test_headers_make_it_an_event_and_a_configured_channel_checks_them(omo: Omo, shop: Shop) -> None:
    placed = NativeAdapter().parse_order(json.dumps(order(7)).encode())
    headers, body = write_native_order(placed, secret="right", event_id="e-1")
    file = shop.folder / "body.json"
    file.write_bytes(body)
    shop.write_channels({"web": {"adapter": "native", "config": {"channel": "web", "secrets": ["right"]}}})
    words = ["normalise", "--channel", "web", "--channels", shop.channels, file]
    given = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    said = omo(*words, *given)
    assert (said.code, said.json["event_key"], said.json["kind"]) == (0, "e-1", "order")
    file.write_bytes(body.replace(b"MUG", b"CUP"))
    forged = omo(*words, *given)
    assert (forged.code, forged.out) == (2, "")
    assert forged.err.count("\n") == 1


def test_a_shopify_order_is_read(omo: Omo, tmp_path: Path) -> None:
    _, body = write_shopify_order(plain_order(), secret="s")
    said = omo("normalise", "--channel", "shopify", written(tmp_path, body.decode()))
    assert said.json["external_id"] == plain_order().external_id


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "omo: line 1, column 2 of the body is not JSON"),
        (order(1, quantity=0), "omo: $.lines[0].quantity is 0"),
        (order(1, lines=[]), "omo: $.lines is missing or empty; send at least one line"),
        (order(1, currency="XXX"), "omo: "),
        (
            '{"type": "order", "type": "order"}',
            "omo: the key 'type' is written twice in one object; write each key once",
        ),
        ('{"type": NaN}', "omo: the body holds NaN, which is not a JSON number; send a finite number or null"),
        ("x" * (3 * 2**20), "omo: the body has 3145728 bytes; at most 2097152 are read"),
    ],
)
def test_a_bad_document_gets_one_sentence(document: Any, sentence: str, omo: Omo, tmp_path: Path) -> None:
    said = omo("normalise", "--channel", "native", written(tmp_path, document))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1


def test_bad_words_get_one_sentence(omo: Omo, tmp_path: Path) -> None:
    file = written(tmp_path, order(1))
    assert omo("normalise", "--channel", "nobody", file).err == (
        f"omo: no channel 'nobody' is installed; use one of: {INSTALLED}\n"
    )
    assert omo("normalise", "--channel", "native", "none.json").err == (
        "omo: cannot read none.json: No such file or directory; check the path\n"
    )
    said = omo("normalise", "--channel", "native", file, "--header", "nothing")
    assert (said.code, said.err) == (2, "omo: 'nothing' is no header; write it as 'Name: value'\n")


def route(omo: Omo, shop: Shop, document: Any, *words: object) -> Any:
    return omo("route", "--network", shop.files.network, "--order", written(shop.folder, document), *words)


def test_an_order_is_routed_on_stock(omo: Omo, shop: Shop) -> None:
    said = route(omo, shop, order(1, quantity=12), "--stock", shop.files.stock)
    assert (said.code, said.err) == (0, "")
    plan = said.json
    served = {one["node"]: sum(line["quantity"] for line in one["lines"]) for one in plan["fulfilment_orders"]}
    assert sum(served.values()) == 12
    assert all(one["why"] for one in plan["fulfilment_orders"])
    assert plan["cost_minor"] == sum(plan["cost_by_term"].values()) > 0
    assert plan["state"] == "in_fulfilment"
    assert plan["assumptions"] == ["No other order holds goods or takes a node's capacity."]
    assert route(omo, shop, order(1, quantity=12), "--stock", shop.files.stock).out == said.out


def test_without_a_stock_list_everything_is_everywhere_and_says_so(omo: Omo, shop: Shop) -> None:
    plan = route(omo, shop, order(1, quantity=5_000, delivery={"method": "one_hour", "address": TAIPEI})).json
    assert [one["node"] for one in plan["fulfilment_orders"]] == ["TPE"]
    assert "Every node holds every item, because no stock file was given." in plan["assumptions"]


def test_a_shortfall_is_an_answer(omo: Omo, shop: Shop) -> None:
    said = route(omo, shop, order(1, sku="TEA", quantity=2), "--stock", shop.files.stock)
    assert (said.code, said.json["state"]) == (0, "unfulfillable")
    assert said.json["shortfalls"][0]["missing"] == 2


def test_bad_stock_rows_are_told_beside_the_answer(omo: Omo, shop: Shop) -> None:
    shop.write_stock([("MUG", "WH", "many"), ("MUG", "WH", 3)])
    said = route(omo, shop, order(1), "--stock", shop.files.stock)
    assert said.code == 0
    assert said.err.startswith("stock.csv line 2 was not used: quantity 'many' is not a whole number of units")
    assert [one["node"] for one in said.json["fulfilment_orders"]] == ["WH"]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (order(1, sku="NOPE"), "omo: The item NOPE is not known to this pool; load it with the network first.\n"),
        (
            order(1, delivery={"method": "pickup", "pickup_node": "NOWHERE"}),
            "omo: The node NOWHERE is not known to this pool; load it with the network first.\n",
        ),
        (order(1, lines=[]), "omo: $.lines is missing or empty; send at least one line\n"),
        (sale(1), "omo: $.type is not order; send an order document here\n"),
    ],
)
def test_an_order_that_cannot_be_routed_gets_one_sentence(document: Any, sentence: str, omo: Omo, shop: Shop) -> None:
    said = route(omo, shop, document)
    assert (said.code, said.out, said.err) == (2, "", sentence)


def test_a_network_that_cannot_be_read_gets_one_sentence(omo: Omo, shop: Shop) -> None:
    shop.write_network({"version": 1, "currency": "TWD", "nodes": []})
    said = route(omo, shop, order(1))
    assert said.code == 2
    assert said.err.startswith(f"omo: {shop.files.network}: nodes: Tuple should have at least 1 item")
    assert said.err.count("\n") == 1
