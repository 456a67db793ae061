"""`omo reevaluate` tells what it would move, moves it once, and says what it cannot use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omo_core.hub import OrderHub
from omo_core.model.fulfilment import FulfilmentState
from tests.cli.conftest import Omo
from tests.orders.conftest import CLOSE, NEAR, NETWORK, order, stock


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A pool with an order of two parcels, which one node could send by now."""
    url = f"sqlite:///{tmp_path / 'pool.db'}"
    with OrderHub.open(url) as hub:
        hub.network.load(NETWORK)
        stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
        hub.orders.place(order("1", {"A": 1, "B": 1}))
        stock(hub, {("B", NEAR): 1}, key="more")
    return url


def nodes(url: str) -> list[str]:
    with OrderHub.open(url) as hub:
        placed = hub.orders.find("shop", "1")
        assert placed is not None
        return sorted(one.node for one in placed.fulfilment_orders if one.state is FulfilmentState.OFFERED)


def test_a_dry_run_tells_what_would_be_moved_and_changes_nothing(omo: Omo, database: str) -> None:
    said = omo("reevaluate", "--database", database, "--dry-run")
    assert (said.code, said.err) == (0, "")
    for word in ("shop/1", "CLOSE (1), NEAR (1)", "NEAR (2)", "fewer to send", "Shipments: 2 now, 1 then."):
        assert word in said.out
    assert "Nothing was changed." in said.out
    told = omo("reevaluate", "--database", database, "--dry-run", "--json").json
    assert (told["dry_run"], told["orders_seen"], told["shipments_before"], told["shipments_after"]) == (True, 1, 2, 1)
    (one,) = told["moved"]
    assert one["after"] == [{"node": "NEAR", "units": 2}]
    assert sum(one["cost_before_by_term"].values()) - sum(one["cost_after_by_term"].values()) == told["saved_minor"] > 0
    assert nodes(database) == [CLOSE, NEAR]


def test_work_is_moved_once(omo: Omo, database: str) -> None:
    said = omo("reevaluate", "--database", database, "--key", "noon")
    assert (said.code, said.err) == (0, "")
    assert "1 orders could be moved; 1 were. Shipments saved: 1." in said.out
    assert nodes(database) == [NEAR]
    again = omo("reevaluate", "--database", database, "--key", "noon", "--json").json
    assert (again["dry_run"], again["parcels_saved"]) == (False, 1)
    assert again == omo("reevaluate", "--database", database, "--key", "noon", "--json").json
    nothing = omo("reevaluate", "--database", database, "--dry-run").out
    assert "1 orders could be moved; 0 would be. Shipments: 1 now, 1 then." in nothing


def test_orders_come_in_pages(omo: Omo, database: str) -> None:
    first = omo("reevaluate", "--database", database, "--dry-run", "--limit", "1", "--json").json
    rest = omo("reevaluate", "--database", database, "--dry-run", "--after", first["last"], "--json").json
    assert (rest["orders_seen"], rest["last"], rest["moved"]) == (0, "", [])
    assert f"--after {first['last']}" in omo("reevaluate", "--database", database, "--dry-run").out


def test_parcels_may_go_any_way(omo: Omo, database: str) -> None:
    words = ("--dry-run", "--growth-permille", "-1", "--parcel-minor", "100", "--accepted", "--json")
    told = omo("reevaluate", "--database", database, *words).json
    assert (
        told["saved_minor"]
        > json.loads(omo("reevaluate", "--database", database, "--dry-run", "--json").out)["saved_minor"]
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "give --key, so that the same run twice moves once, or --dry-run"),
        (("--key", "a\nb"), "--key: "),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(
    omo: Omo, database: str, words: tuple[str, ...], sentence: str
) -> None:
    said = omo("reevaluate", "--database", database, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"omo: {sentence}")
    assert nodes(database) == [CLOSE, NEAR]


def test_a_key_of_another_run_is_refused(omo: Omo, database: str) -> None:
    omo("reevaluate", "--database", database, "--key", "noon")
    said = omo("reevaluate", "--database", database, "--key", "noon", "--limit", "5")
    assert (said.code, said.out) == (2, "")


def test_a_missing_database_is_told(omo: Omo, tmp_path: Path) -> None:
    said = omo("reevaluate", "--database", f"sqlite:///{tmp_path / 'none.db'}", "--dry-run")
    assert (said.code, said.out) == (2, "")
    assert "there is no database file" in said.err
