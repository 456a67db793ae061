"""`omo channels`, `omo parked` and `omo replay`: what channels sent and could not be used is seen, and tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.hub import OrderHub
from omo_core.model.network import Network
from omo_core.testing.writers import write_native_order
from tests.batch.shop import Shop, network
from tests.cli.conftest import Omo
from tests.orders.conftest import order

SECRET = "a shared secret"
CONFIG = {"channel": "shop", "secrets": [SECRET]}


@pytest.fixture
def channels(shop: Shop) -> Path:
    """A channels file, of two channels."""
    path = shop.folder / "channels.json"
    other = {"channel": "other", "secrets": ["another secret"]}
    document = {name: {"adapter": "native", "config": one} for name, one in (("shop", CONFIG), ("other", other))}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def parked(shop: Shop) -> Shop:
    """A pool with two parked messages of one channel: they ask for an item that nobody knows."""
    adapter = NativeAdapter(NativeConfig.model_validate(CONFIG, strict=False))
    with OrderHub.open(shop.database, channels={"shop": adapter}) as hub:
        hub.network.load(Network.model_validate(network(), strict=False))
        for number in ("1", "2"):
            signed = write_native_order(order(number, {"NEW": 1}, currency="TWD"), secret=SECRET)
            assert hub.channels["shop"].take(*signed).state == "parked"
    return shop


def load_the_item(shop: Shop) -> None:
    with OrderHub.open(shop.database) as hub:
        hub.network.load(Network.model_validate(network(skus=["NEW"]), strict=False))
        hub.stock.receive(node="HSZ", sku="NEW", quantity=5, key="new")


def test_channels_says_what_is_parked_and_how_far_behind_pulling_is(omo: Omo, parked: Shop) -> None:
    said = omo("channels", "--database", parked.database)
    assert (said.code, said.err) == (0, "")
    (row,) = [line.split() for line in said.out.splitlines() if line.startswith("shop")]
    assert row[1:3] == ["2", "0"]
    assert row[-3:] == ["0", "0", "never"]
    (one,) = omo("channels", "--database", parked.database, "--json").json["channels"]
    assert (one["channel"], one["parked"], one["waiting"], one["lag_s"]) == ("shop", 2, 0, None)
    assert one["oldest_at"].endswith("Z")


def test_a_pool_without_messages_says_so(omo: Omo, shop: Shop) -> None:
    omo("migrate", "--database", shop.database)
    assert (
        omo("channels", "--database", shop.database).out
        == "Nothing waits to be read or told, and no channel was pulled yet.\n"
    )
    assert omo("parked", "--database", shop.database).out == "No message is parked.\n"
    assert omo("parked", "--database", shop.database, "--json").json == {"parked": [], "next": None}


def test_parked_lists_messages_with_their_reasons_in_pages(omo: Omo, parked: Shop) -> None:
    said = omo("parked", "--database", parked.database)
    assert (said.code, said.err) == (0, "")
    assert said.out.count("unknown_sku") == 2
    assert "NEW" in said.out
    first = omo("parked", "--database", parked.database, "--limit", "1", "--json").json
    (one,) = first["parked"]
    assert (one["channel"], one["reason_code"]) == ("shop", "unknown_sku")
    second = omo("parked", "--database", parked.database, "--after", first["next"], "--json").json
    assert second["next"] is None
    assert [two["event_key"] > one["event_key"] for two in second["parked"]] == [True]
    assert omo("parked", "--database", parked.database, "--channel", "other", "--json").json["parked"] == []
    page = omo("parked", "--database", parked.database, "--limit", "1").out
    assert page.endswith(f"There are more: --after {first['next']}\n")


def test_after_is_what_the_page_before_said(omo: Omo, parked: Shop) -> None:
    said = omo("parked", "--database", parked.database, "--after", "x")
    assert (said.code, said.out) == (2, "")
    assert "--after" in said.err


def test_body_prints_the_bytes_as_they_came(omo: Omo, parked: Shop) -> None:
    (one, _) = omo("parked", "--database", parked.database, "--json").json["parked"]
    words = ("parked", "--database", parked.database, "--channel", "shop")
    said = omo(*words, "--body", one["event_key"])
    assert json.loads(said.out)["lines"][0]["sku"] == "NEW"
    unnamed = omo("parked", "--database", parked.database, "--body", one["event_key"])
    assert (unnamed.code, unnamed.err) == (2, "omo: --body names a message of one channel; add --channel\n")
    missing = omo(*words, "--body", "nothing")
    assert (missing.code, missing.out) == (2, "")
    assert "no message 'nothing'" in missing.err


def test_replay_uses_what_a_fix_made_usable(omo: Omo, parked: Shop, channels: Path) -> None:
    words = ("replay", "--database", parked.database, "--channels", channels)
    before = omo(*words)
    assert before.code == 1
    assert "0 used, 0 to fetch, 2 still parked." in before.out
    assert "unknown_sku" in before.out
    load_the_item(parked)
    (first, _) = omo("parked", "--database", parked.database, "--json").json["parked"]
    one = omo(*words, "--channel", "shop", "--key", first["event_key"], "--json")
    assert one.code == 0
    assert [(taken["event_key"], taken["state"]) for taken in one.json["replayed"]] == [(first["event_key"], "read")]
    rest = omo(*words)
    assert rest.code == 0
    assert rest.out == "1 used, 0 to fetch, 0 still parked.\n"
    assert omo(*words).out == "No message of these channels is parked.\n"
    assert (
        omo("channels", "--database", parked.database).out
        == "Nothing waits to be read or told, and no channel was pulled yet.\n"
    )


def test_replay_names_a_channel_that_the_file_lacks(omo: Omo, parked: Shop, channels: Path) -> None:
    said = omo("replay", "--database", parked.database, "--channels", channels, "--channel", "web")
    assert said.code == 2
    assert "no channel 'web' (it has: other, shop)" in said.err
    keyed = omo("replay", "--database", parked.database, "--channels", channels, "--key", "x")
    assert (keyed.code, keyed.err) == (2, "omo: --key names a message of one channel; add --channel\n")


def test_no_database_is_made_of_a_mistyped_path(omo: Omo, shop: Shop, channels: Path) -> None:
    for words in (("channels",), ("parked",), ("replay", "--channels", channels)):
        said = omo(*words, "--database", shop.database)
        assert (said.code, said.out) == (2, "")
        assert "there is no database file" in said.err
