"""`omo repair` and `omo roles`: words in, exit code, sentence and JSON out."""

from __future__ import annotations

import sqlite3

import pytest

from tests.batch.shop import Shop, order
from tests.cli.conftest import Omo, run_words


@pytest.fixture
def broken(omo: Omo, shop: Shop) -> Shop:
    """A finished run whose row of MUG at HSZ was changed around the library, and halted."""
    shop.write_orders([order(1)])
    assert omo(*run_words(shop, shop.database)).code == 0
    with sqlite3.connect(shop.folder / "shop.db") as connection:
        connection.execute("UPDATE omo_stock SET on_hand = on_hand + 7 WHERE sku = 'MUG' AND node = 'HSZ'")
    assert omo("audit", "--database", shop.database, "--halt").code == 1
    return shop


def words(shop: Shop, *more: object, on_hand: object = 4, by: str = "op-7") -> list[object]:
    row = ["--sku", "MUG", "--node", "HSZ", "--on-hand", on_hand, "--by", by, "--reason", "counted", "--key", "k"]
    return ["repair", "--database", shop.database, *row, *more]


def test_a_repaired_row_passes_the_audit(omo: Omo, broken: Shop) -> None:
    said = omo(*words(broken))
    assert (said.code, said.err) == (0, "")
    assert "Was: MUG at HSZ has" in said.out
    assert said.out.endswith("The row is repaired and sells again.\n")
    assert omo("audit", "--database", broken.database).code == 0
    assert omo(*words(broken)).out == said.out
    assert omo(*words(broken, "--json")).json["by"] == "op-7"
    reused = omo(*words(broken, on_hand=5))
    assert reused.code == 2
    assert "was used for another request" in reused.err


@pytest.mark.slow
def test_a_row_that_cannot_be_repaired_is_told_why(omo: Omo, broken: Shop) -> None:
    unusable = omo(*words(broken, by=""))
    assert unusable.code == 2
    assert "--by:" in unusable.err
    assert omo(*words(broken)).code == 0
    row = [word if word != "k" else "other" for word in words(broken)]
    sound = omo(*row)
    assert sound.code == 2
    assert "breaks no invariant" in sound.out


def test_roles_prints_what_it_would_run(omo: Omo) -> None:
    said = omo("roles", "--database", "postgresql+psycopg://omo@/shop", "--role", "clerk")
    assert said.code == 0
    assert 'GRANT SELECT, INSERT ON "public"."omo_posting" TO "clerk";\n' in said.out
    assert "UPDATE" not in next(line for line in said.out.splitlines() if 'omo_posting" TO' in line)
    reading = omo("roles", "--database", "postgresql+psycopg://omo@/shop", "--role", "clerk", "--reporting")
    assert "INSERT ON" not in reading.out


def test_roles_are_of_postgresql(omo: Omo, broken: Shop) -> None:
    said = omo("roles", "--database", broken.database, "--role", "clerk", "--apply")
    assert said.code == 2
    assert "SQLite has no roles" in said.err


def test_roles_are_applied(omo: Omo, postgres_url: str) -> None:
    assert omo("migrate", "--database", postgres_url).code == 0
    said = omo("roles", "--database", postgres_url, "--role", "nobody", "--apply")
    assert said.code == 3
    assert "There is no role 'nobody'" in said.err
