"""The policy as data: read from JSON and YAML, refused with the field named, and steady in its digest."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from omo_core.allocation import AllocationProblem, SourcingPolicy
from omo_core.model.errors import InvalidInput
from tests.allocation.cases import network, order, store

DEFAULT_DIGEST = "8233b16bd2236790e3cc60e6a518e82c0a059123b98255e9d518dcb17d4ca143"

TEXT = dedent("""
    version: 1
    unserved_minor: 5000
    limits:
      - name: dealers_sell_on_the_web
        orders: {channels: [web]}
        nodes: {kinds: [dealer_store]}
        effect: only
    distance_bands:
      - {up_to_m: 50000, shipment_minor: 100}
      - {up_to_m: null, shipment_minor: 900}
    services:
      express: {within_m: 300000, shipment_minor: 700}
    weights: {lateness: 2000}
""")


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    policy = SourcingPolicy.parse(TEXT)
    assert policy.unserved_minor == 5_000
    assert policy.limits[0].nodes.kinds == ("dealer_store",)
    assert policy.weights == {"lateness": 2_000}
    yaml, plain = tmp_path / "policy.yaml", tmp_path / "policy.json"
    yaml.write_text(TEXT, encoding="utf-8")
    plain.write_text(policy.canonical_json(), encoding="utf-8")
    assert SourcingPolicy.read(yaml) == SourcingPolicy.read(plain) == policy
    assert SourcingPolicy.load(policy.model_dump(mode="json")).digest() == policy.digest()


def test_parts_that_were_not_chosen_leave_the_digest_as_it_was() -> None:
    assert SourcingPolicy().digest() == DEFAULT_DIGEST
    assert SourcingPolicy.load({"limits": [], "weights": {}, "promise": None}).digest() == DEFAULT_DIGEST
    chosen: list[dict[str, Any]] = [
        {"owner_consent": True},
        {"priority_step_minor": 1},
        {"missing_data": {}},
        {"solver": {}},
    ]
    assert len({SourcingPolicy.load(one).digest() for one in chosen} | {DEFAULT_DIGEST}) == 5


def test_a_route_that_was_not_chosen_leaves_the_solvers_digest_as_it_was() -> None:
    plain, routing = SourcingPolicy.load({"solver": {}}), SourcingPolicy.load({"solver": {"route": ["one_hour"]}})
    assert "route" not in plain.canonical_json()
    assert SourcingPolicy.load({"solver": {"route": []}}).digest() == plain.digest() != routing.digest()
    assert SourcingPolicy.parse(routing.canonical_json(), "json") == routing


def test_a_gap_that_was_not_asked_for_leaves_the_works_digest_as_it_was() -> None:
    quick = SourcingPolicy.load({"solver": {"method": "wave", "work": "quick"}})
    asking = SourcingPolicy.load({"solver": {"method": "wave", "work": {"gap_ppm": 200}}})
    assert "gap_ppm" not in quick.canonical_json()
    assert SourcingPolicy.parse(asking.canonical_json()) == asking
    assert asking.solver is not None
    assert asking.solver.work.gap_ppm == 200


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        SourcingPolicy().max_nodes = 3  # type: ignore[misc]


def limit(name: str, effect: str, channels: tuple[str, ...] = (), **nodes: Any) -> dict[str, Any]:
    return {"name": name, "effect": effect, "nodes": nodes, "orders": {"channels": channels}}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"version": 2}, "field 'version'"),
    ({"version": "1"}, "field 'version'"),
    ({"rules": []}, "field 'rules'"),
    ({"pickup_minor": -1}, "field 'pickup_minor'"),
    ({"pickup_minor": None}, "field 'pickup_minor'"),
    ({"pickup_minor": float("nan")}, "field 'pickup_minor'"),
    ({"pickup_minor": 1.0}, "field 'pickup_minor'"),
    ({"pickup_minor": 10**10}, "field 'pickup_minor'"),
    ({"pickup_minor": object()}, "is no plain data"),
    ({"kinds": {"store": {"shipment_minor": 1}}}, "field 'kinds.store.unit_minor'"),
    ({"surcharges": [{"name": "x", "shipment_minor": -5}]}, "field 'surcharges.0.shipment_minor'"),
    ({"surcharges": [{"name": "shipping"}]}, "'shipping' stands for two things"),
    ({"surcharges": [{"name": "x"}, {"name": "x"}]}, "'x' stands for two things"),
    ({"limits": [limit("closed", "never")]}, "'closed' stands for two things"),
    ({"limits": [limit("a", "sometimes")]}, "field 'limits.0.effect'"),
    ({"limits": [limit("a", "only", kinds=["shop"])]}, "field 'limits.0.nodes.kinds.0'"),
    ({"limits": [limit("a", "only", places=["Taipei"])]}, "field 'limits.0.nodes.places.0'"),
    (
        {"limits": [limit("a", "only", classes=["outlet"]), limit("b", "never", classes=["outlet", "pop-up"])]},
        "'a' requires nodes that 'b' forbids",
    ),
    (
        {"limits": [limit("a", "never", channels=()), limit("b", "only", channels=("web",))]},
        "'b' requires nodes that 'a' forbids",
    ),
    (
        {"limits": [limit("a", "only", kinds=["store"]), limit("b", "only", ("web",), kinds=["pickup_point"])]},
        "'a' and 'b' require different nodes",
    ),
    ({"distance_bands": [{"up_to_m": 5}]}, "let `up_to_m` grow"),
    ({"distance_bands": [{"up_to_m": 5}, {"up_to_m": 5}, {"up_to_m": None}]}, "let `up_to_m` grow"),
    ({"weights": {"shiping": 2}}, "there is no cost term 'shiping'"),
    ({"weights": {"shipping": -2}}, "field 'weights.shipping'"),
    ({"promise": {}}, "does nothing"),
    ({"missing_data": {"weight": "exclude", "weight_g": 5}}, "drop one of them"),
    ({"missing_data": {"place": "guess"}}, "field 'missing_data.place'"),
    ({"solver": {"search_nodes": 0}}, "field 'solver.search_nodes'"),
    ({"solver": {"route": ["one-hour"]}}, "field 'solver.route.0'"),
    ({"solver": {"route": "one_hour"}}, "field 'solver.route'"),
    ({"solver": {"route": ["ship", "ship"]}}, "a delivery method is named twice"),
]


@pytest.mark.parametrize(("document", "sentence"), BAD, ids=range(len(BAD)))
def test_a_bad_policy_is_refused_before_anything_is_solved(document: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SourcingPolicy.load(document)
    assert sentence in str(refused.value)


def test_limits_that_leave_somebody_do_not_contradict() -> None:
    SourcingPolicy.load(
        {
            "limits": [
                limit("a", "only", ("web",), kinds=["store", "dealer_store"]),
                limit("b", "never", ("web",), kinds=["dealer_store"]),
                limit("c", "only", ("app",), kinds=["central_warehouse"]),
            ]
        }
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_nodes: 1\nmax_nodes: 2", "names 'max_nodes' twice"),
        ("- 1", "is no mapping of fields but [1]"),
        ("a: [", "is no YAML"),
        ("pickup_minor: .nan", "field 'pickup_minor'"),
        ("pickup_minor: 2026-01-01", "is no plain data"),
        ("pickup_minor: !!python/object/apply:os.getcwd []", "is no YAML"),
        ("? [a]\n: 1", "is no YAML"),
    ],
)
def test_bad_yaml_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SourcingPolicy.parse(text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"max_nodes": 1, "max_nodes": 2}', "names 'max_nodes' twice"),
        ('{"pickup_minor": NaN}', "field 'pickup_minor'"),
        ("[" * 10_000, "is no JSON"),
        ("{", "is no JSON"),
    ],
)
def test_bad_json_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SourcingPolicy.parse(text, "json")
    assert sentence in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.yaml"):
        SourcingPolicy.read(tmp_path / "absent.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("# Größe".encode("latin-1"))
    with pytest.raises(InvalidInput, match="is not UTF-8"):
        SourcingPolicy.read(latin)
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"max_nodes": 0}), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"wrong\.json: .*'max_nodes'"):
        SourcingPolicy.read(wrong)


def test_a_rule_that_was_not_chosen_is_not_asked() -> None:
    problem = AllocationProblem.build(network(store("A")), [order("o", ("X", 1))], [("X", "A", 1)], SourcingPolicy())
    assert [rule.name for rule in problem.rules] == [
        *("excluded", "unknown_pickup_node", "ship_to_store_off", "method_not_offered", "place_unknown"),
        *("outside_one_hour_radius", "closed"),
    ]
    assert [term.name for term in problem.terms] == [
        *("shipping", "distance", "handling", "lateness", "one_hour", "pickup")
    ]
    assert problem.stock.withheld is None
