from __future__ import annotations

import sqlite3
from importlib.metadata import version

import pytest
from sqlalchemy import create_engine, text

from omo_core.cli import main
from tests.batch.shop import Shop, order
from tests.cli.conftest import Omo, run_words


def test_migrate_fills_an_empty_database_once(omo: Omo, shop_file_url: str) -> None:
    said = omo("migrate", "--database", shop_file_url)
    assert (said.code, said.out, said.err) == (0, "The empty database now has our tables, version 0001.\n", "")
    again = omo("migrate", "--database", shop_file_url)
    assert (again.code, again.out) == (0, "The database already has version 0001; nothing was changed.\n")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shop_file_url(request: pytest.FixtureRequest, shop: Shop) -> str:
    """An empty database that outlives a connection."""
    return shop.database if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def test_migrate_leaves_a_newer_database_alone(omo: Omo, shop: Shop) -> None:
    omo("migrate", "--database", shop.database)
    with sqlite3.connect(shop.folder / "shop.db") as connection:
        connection.execute("UPDATE omo_alembic_version SET version_num = '9999'")
    said = omo("migrate", "--database", shop.database)
    assert (said.code, said.out) == (3, "")
    assert said.err.endswith("has schema version 9999, this library knows up to 0001; upgrade omo_core first\n")


def test_audit_finds_what_was_broken_and_halts_it(omo: Omo, shop: Shop, shop_file_url: str) -> None:
    shop.write_orders([order(1), order(2, sku="CUP")])
    assert omo(*run_words(shop, shop_file_url)).code == 0
    clean = omo("audit", "--database", shop_file_url)
    assert (clean.code, clean.err) == (0, "")
    assert "Every invariant holds." in clean.out
    engine = create_engine(shop_file_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE omo_stock SET on_hand = on_hand + 7 WHERE sku = 'MUG' AND node = 'HSZ'"))
    engine.dispose()
    broken = omo("audit", "--database", shop_file_url)
    assert broken.code == 1
    assert "MUG" in broken.out
    assert "break an invariant" in broken.out
    halted = omo("audit", "--database", shop_file_url, "--halt", "--json")
    assert halted.code == 1
    assert halted.json["halted"] == [{"sku": "MUG", "node": "HSZ", "condition": "sellable"}]
    assert halted.json["clean"] is False
    assert {one["sku"] for one in halted.json["findings"]} == {"MUG"}
    assert omo("audit", "--database", shop_file_url, "--halt", "--json").json["halted"] == []


def test_audit_makes_no_database_of_a_mistyped_path(omo: Omo, shop: Shop) -> None:
    said = omo("audit", "--database", shop.database)
    assert (said.code, said.err) == (
        2,
        f"omo: there is no database file {shop.folder / 'shop.db'}; check the path of --database\n",
    )
    assert not (shop.folder / "shop.db").exists()


def test_audit_of_a_database_without_our_tables_names_migrate(omo: Omo, shop: Shop) -> None:
    sqlite3.connect(shop.folder / "shop.db").close()
    (shop.folder / "shop.db").touch()
    said = omo("audit", "--database", shop.database)
    assert said.code == 3
    assert said.err.endswith(f"has no tables of this library; run `omo migrate --database {shop.database}`\n")


def test_audit_of_an_empty_pool_says_so(omo: Omo, shop: Shop) -> None:
    omo("migrate", "--database", shop.database)
    said = omo("audit", "--database", shop.database, "--pool", "nothing")
    assert said.code == 0
    assert "The pool holds nothing yet; check --pool and --database." in said.out


def test_warmup_says_how_long_it_took(omo: Omo) -> None:
    said = omo("warmup")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("The kernels are ready after ")


def test_version_and_help(omo: Omo) -> None:
    assert omo("--version").out == f"omo_core {version('omo-core')}\n"
    said = omo("--help")
    assert said.code == 0
    assert "Exit codes: 0 done" in said.out
    for command in ("demo", "run", "route", "normalise", "audit", "repair", "migrate", "roles", "warmup"):
        assert command in said.out
        assert "Exit codes: 0 done" in omo(command, "--help").out


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("omo_core.cli.find_spec", lambda _: None)
    assert main(["--help"]) == 2
    assert capsys.readouterr().err == "omo needs typer and rich; install them with: pip install 'omo-core[cli]'\n"
