from __future__ import annotations

import json

import pytest

from omo_core.cli import main
from tests.batch.shop import Shop, busy_day
from tests.cli.conftest import Omo, run_words


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose busy day is stored; the tests only read it."""
    shop = Shop(tmp_path_factory.mktemp("ran"))
    shop.write_orders(busy_day(40))
    assert main([str(word) for word in run_words(shop)]) == 0
    (shop.folder / "free way.json").write_text(
        json.dumps({"shipment_per_1000_km_minor": 0, "lateness_per_day_minor": 0})
    )
    (shop.folder / "one node.yaml").write_text("max_nodes: 1\n")
    return shop


def test_a_stored_day_is_compared_under_other_policies(omo: Omo, ran: Shop) -> None:
    policies = ("--policy", ran.folder / "free way.json", "--policy", ran.folder / "one node.yaml")
    page = ran.folder / "what-if.html"
    said = omo("what-if", "--database", ran.database, *policies, "--report", page)
    assert (said.code, said.err) == (0, "")
    for word in ("in force", "free way", "one node", "Parcel-kilometres", "Orders split", "shipping"):
        assert word in said.out
    assert "free way" in page.read_text(encoding="utf-8")
    made = omo("what-if", "--database", ran.database, *policies, "--json").json
    assert [one["name"] for one in made["policies"]] == ["in force", "free way", "one node"]
    assert made["orders"] == made["policies"][0]["orders"] == 30
    assert made["policies"][2]["splits"] == 0
    assert made == omo("what-if", "--database", ran.database, *policies, "--json").json
    part = omo("what-if", "--database", ran.database, "--until", "2026-03-02T11:01+00:00", "--json").json
    assert 0 < part["orders"] <= 30
    assert [one["name"] for one in part["policies"]] == ["in force"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--since", "soon"), "--since 'soon' is no instant; write 2026-05-04 or 2026-05-04T18:00+08:00"),
        (("--until", "2026-03-02T10:00"), "--until '2026-03-02T10:00' has no time zone"),
        (("--since", "2030-01-01"), "nothing was decided in that period"),
        (("--solver", "magic"), "there is no solver 'magic'; use one of"),
        (("--policy", "nowhere.json"), "cannot read the policy file nowhere.json"),
        (("--policy", "a/x.json", "--policy", "b/x.yaml"), "cannot read the policy file a/x.json"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_sentence(
    omo: Omo, ran: Shop, words: tuple[str, ...], sentence: str
) -> None:
    said = omo("what-if", "--database", ran.database, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"omo: {sentence}")


def test_two_policies_of_one_name_are_refused(omo: Omo, ran: Shop) -> None:
    again = ran.folder / "one node.json"
    again.write_text("{}")
    said = omo("what-if", "--database", ran.database, "--policy", again, "--policy", ran.folder / "one node.yaml")
    assert (said.code, said.err) == (2, "omo: two policies are named 'one node'; give their files different names\n")
