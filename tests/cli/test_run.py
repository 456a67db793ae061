from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from omo_core.channels.registry import channel_names
from omo_core.hub import OrderHub
from tests.batch.shop import Shop, at, busy_day, decisions, network, order
from tests.cli.conftest import Omo, run_words

INSTALLED = ", ".join(channel_names())


def test_a_run_shows_what_became_of_everything(omo: Omo, shop: Shop) -> None:
    shop.write_orders([*busy_day(12), order(99, quantity=0)])
    said = omo(*run_words(shop))
    assert said.code == 0
    assert ["Orders", "9"] in [line.split() for line in said.out.splitlines()]
    for words in (
        "Lines filled from the whole pool",
        "Lines the nearest store alone would fill",
        "Served from",
        "Orders served by",
        "Cost by term, TWD",
        "per second",
        "1 input row was not used",
        "orders.jsonl line 13: $.lines[0].quantity is 0",
        "none broken.",
        "report.html",
        "summary.json",
        "rejected.csv",
    ):
        assert words in said.out
    assert "messages flow: 13" in said.err
    assert "\x1b" not in said.out + said.err


def test_a_run_under_a_policy_with_a_proof_shows_the_gap(omo: Omo, shop: Shop) -> None:
    shop.write_network(network() | {"policy": {"solver": {"method": "wave", "work": "brief"}}})
    shop.write_orders(busy_day(12))
    said = omo(*run_words(shop))
    for words in (
        "Decided together, TWD",
        "proven the best",
        "at most too dear by (the proven gap)",
        "order after the",
    ):
        assert words in said.out
    waves = json.loads((shop.folder / "out" / "summary.json").read_text())["waves"]
    assert waves["waves"] >= 1
    assert waves["lower_bound_minor"] <= waves["cost_minor"] <= waves["greedy_minor"]
    assert "in real time" not in said.out, "the policy did not ask for it"


def test_a_run_with_a_router_says_how_many_orders_it_decided(omo: Omo, shop: Shop) -> None:
    solver = {"method": "wave", "work": "brief", "route": ["one_hour"]}
    shop.write_network(network() | {"policy": {"solver": solver}})
    shop.write_orders(busy_day(12))
    said = omo(*run_words(shop))
    totals = json.loads((shop.folder / "out" / "summary.json").read_text())["totals"]
    assert (totals["orders"], totals["real_time_orders"], totals["wave_orders"]) == (9, 3, 6)
    rows = [line.split() for line in said.out.splitlines() if "Orders decided" in line]
    assert [row[-1] for row in rows] == ["3", "6"]
    assert "The real-time router decided 3 orders" in (shop.folder / "out" / "report.html").read_text()


def test_json_is_one_object_and_nothing_else(omo: Omo, shop: Shop) -> None:
    shop.write_orders(busy_day(12))
    said = omo(*run_words(shop), "--json")
    assert (said.code, said.err) == (0, "")
    document = said.json
    assert document["summary"] == json.loads((shop.folder / "out" / "summary.json").read_text())
    assert document["summary"]["totals"]["orders"] == 9
    assert {"read", "place", "fulfil"} <= {stage["name"] for stage in document["stages"]}
    assert document["resumed_after"] == 0
    assert omo(*run_words(shop), "--json").json["resumed_after"] == 12


def test_orders_of_another_dialect_and_columns_of_other_names(omo: Omo, shop: Shop) -> None:
    shop.orders = "orders.csv"
    shop.write_csv("orders.csv", [("A", at(1), "MUG", 2)], ("Order", "placed_at", "Article", "quantity"))
    columns = ("--column", "external_id=Order", "--column", "orders.sku=Article")
    said = omo(*run_words(shop), *columns, "--json")
    assert said.json["summary"]["totals"]["units_assigned"] == 2


REFUSED: list[tuple[list[Any], str]] = [
    (["--column", "sku"], "omo: 'sku' is no column mapping; write OURS=THEIRS, for example sku=Article\n"),
    (["--channel", "nobody"], f"omo: no channel 'nobody' is installed; use one of: {INSTALLED}\n"),
    (["--stock", "none.csv"], "omo: cannot read none.csv: No such file or directory; check the path\n"),
    (
        ["--network", "none.json"],
        "omo: cannot read the network file none.json: No such file or directory; check the path\n",
    ),
    (["--orders", "none.jsonl"], "omo: cannot read none.jsonl: No such file or directory; check the path\n"),
    (
        ["--channels", "none.json"],
        "omo: cannot read the channels file none.json: No such file or directory; check the path\n",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_used_is_said_in_one_sentence(words: list[Any], sentence: str, omo: Omo, shop: Shop) -> None:
    shop.write_orders([order(1)])
    said = omo(*run_words(shop), *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines(keepends=True)[-1] == sentence


@pytest.mark.parametrize("words", [["--reject-share", "2"], ["--bogus"], ["--seed", "x"]])
def test_options_that_do_not_exist_are_usage(words: list[str], omo: Omo, shop: Shop) -> None:
    shop.write_orders([order(1)])
    said = omo(*run_words(shop), *words)
    assert said.code == 2
    assert "Error" in said.err
    assert not (shop.folder / "shop.db").exists()


def test_a_place_that_cannot_be_written_is_said(omo: Omo, shop: Shop) -> None:
    shop.write_orders([order(1)])
    (shop.folder / "out").write_text("in the way")
    said = omo(*run_words(shop))
    assert said.code == 2
    assert said.err == f"omo: {shop.folder / 'out'}: File exists; check the path and its permissions\n"


def test_an_unusable_database_url_is_said(omo: Omo, shop: Shop) -> None:
    shop.write_orders([order(1)])
    said = omo(*run_words(shop, database="no url"))
    assert said.code == 2
    assert said.err.startswith("omo: ")
    assert said.err.count("\n") == 1


def test_a_folder_that_is_not_there_is_the_database_s_fault(omo: Omo, shop: Shop) -> None:
    shop.write_orders([order(1)])
    said = omo(*run_words(shop, database=f"sqlite:///{shop.folder}/none/shop.db"))
    assert said.code == 3
    assert said.err.count("\n") == 1
    assert said.err.endswith("does not exist; make it first\n")


def test_a_database_of_another_version_is_refused_with_what_helps(
    omo: Omo, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omo_core.storage import schema

    shop.write_orders([order(1)])
    assert omo("migrate", "--database", shop.database).code == 0
    with monkeypatch.context() as newer:
        newer.setattr(schema, "REVISIONS", ("0001", "0002"))
        newer.setattr(schema, "HEAD", "0002")
        older = omo(*run_words(shop))
    assert older.code == 3
    assert older.err.endswith(
        "has schema version 0001, this library needs 0002; back it up, "
        f"then run `omo migrate --database {shop.database}`\n"
    )
    with sqlite3.connect(shop.folder / "shop.db") as connection:
        connection.execute("UPDATE omo_alembic_version SET version_num = '9999'")
    newer_one = omo(*run_words(shop))
    assert (newer_one.code, newer_one.out) == (3, "")
    assert "has schema version 9999" in newer_one.err
    assert newer_one.err.endswith("upgrade omo_core first\n")


@pytest.mark.slow
def test_ctrl_c_says_that_the_same_command_goes_on(omo: Omo, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from omo_core.batch.nodes import SimulatedNodes

    shop.write_orders(busy_day(12))

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SimulatedNodes, "answer", interrupted)
        said = omo(*run_words(shop))
    assert said.code == 130
    assert said.err.endswith(
        "omo: stopped; nothing is half done, and the same command goes on where this one stopped\n"
    )
    assert omo(*run_words(shop)).code == 0
    assert decisions(shop.database)["counted"]["omo_hold"] > 0


@pytest.mark.slow
def test_a_full_disk_stops_between_two_commands(omo: Omo, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real limit of SQLite's, on the file itself; with room again the same command goes on."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    shop.write_orders(busy_day(60))
    limit = {"pages": 2**30}

    def set_limit(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit['pages']}")

    event.listen(Engine, "connect", set_limit)
    try:
        assert omo("migrate", "--database", shop.database).code == 0
        with sqlite3.connect(shop.folder / "shop.db") as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
        limit["pages"] = pages + 12
        said = omo(*run_words(shop))
        assert said.code == 3
        assert "is full (database or disk is full); nothing was applied: make room" in said.err
        assert said.err.splitlines()[-1].startswith("omo: The database sqlite:///")
        assert omo("audit", "--database", shop.database).code == 0
        limit["pages"] = 2**30
        assert omo(*run_words(shop)).code == 0
    finally:
        event.remove(Engine, "connect", set_limit)
    undisturbed = Shop(_fresh(shop))
    undisturbed.write_orders(busy_day(60))
    undisturbed.run()
    assert decisions(shop.database) == decisions(undisturbed.database)


def _fresh(shop: Shop) -> Any:
    folder = shop.folder / "fresh"
    folder.mkdir()
    return folder


@pytest.mark.postgres
def test_both_engines_leave_the_same_decisions(omo: Omo, shop: Shop, postgres_url: str) -> None:
    shop.write_orders(busy_day())
    for database in (shop.database, postgres_url):
        said = omo(*run_words(shop, database, out=database[:6]), "--reject-share", "0.3", "--json")
        assert (said.code, said.err) == (0, "")
        assert omo("audit", "--database", database).code == 0
    assert decisions(shop.database) == decisions(postgres_url)
    summaries = [(shop.folder / name / "summary.json").read_bytes() for name in (shop.database[:6], postgres_url[:6])]
    assert summaries[0] == summaries[1]


def test_a_pool_of_another_name_stands_apart(omo: Omo, shop: Shop) -> None:
    shop.write_orders([order(1)])
    omo(*run_words(shop), "--pool", "north")
    with OrderHub.open(shop.database, pool="north") as hub:
        assert len(hub.orders.page()) == 1
    with OrderHub.open(shop.database) as hub:
        assert hub.orders.page() == []
