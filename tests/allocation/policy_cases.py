"""Small worlds in which one part of the policy decides: with it, without it, and as the verifier sees both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from omo_core.allocation import (
    AllocationProblem,
    NetworkIndex,
    NodeState,
    OrderDemand,
    Plan,
    SourcingPolicy,
    solve_greedy,
    verify_plan,
)
from omo_core.model.items import Item
from omo_core.model.network import Consent, DeliveryMethod, Network, Node, NodeKind, OpeningHours
from tests.allocation.cases import AT, network, order, store

ONE_HOUR, PICKUP, SHIP = DeliveryMethod.ONE_HOUR, DeliveryMethod.PICKUP, DeliveryMethod.SHIP
BOTH = (("X", "NEAR", 5), ("X", "FAR", 5))
"""Both nodes hold five units of the one item."""
MORNING = (OpeningHours(weekday=0, opens_s=6 * 3600, closes_s=9 * 3600),)
"""Over when the orders come."""
DAY = (OpeningHours(weekday=0, opens_s=6 * 3600, closes_s=20 * 3600),)


@dataclass(frozen=True)
class Part:
    """A part of the policy, and a world in which it says something."""

    document: Mapping[str, Any]
    near: Mapping[str, Any] = field(default_factory=dict)
    far: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    stock: tuple[tuple[str, str, int], ...] = BOTH
    states: Mapping[str, NodeState] = field(default_factory=dict)
    units: int = 1
    prices: Mapping[str, Any] = field(default_factory=dict)
    """What the policy says beside the part."""

    @property
    def network(self) -> Network:
        """A node at the buyer's door and one 11 km away."""
        near = Node(**{**dict(store("NEAR")), "node": "NEAR", **self.near})
        far = Node(**{**dict(store("FAR", 40.1)), "node": "FAR", **self.far})
        return network(near, far, items=self.items)

    @property
    def demand(self) -> OrderDemand:
        return order("o", ("X", self.units), **self.order)

    @property
    def policy(self) -> SourcingPolicy:
        return SourcingPolicy.load({**self.prices, **self.document})

    def without(self) -> Part:
        """The same world where neither policy nor network nor anybody's state asks for anything."""
        plain = {"ships_to": None, "abilities": None}
        return replace(
            self,
            document={},
            near={**self.near, **plain},
            far={**self.far, **plain},
            items=tuple(item.model_copy(update={"needs": None}) for item in self.items),
            states={},
        )

    def problem(self) -> AllocationProblem:
        index = NetworkIndex.of(self.network, self.states)
        return AllocationProblem.build(index, [self.demand], self.stock, self.policy)

    def plan(self) -> Plan:
        """Solved, and sound by both judges."""
        plan = solve_greedy(self.problem())
        assert plan.violations() == []
        assert self.complaints(plan) == []
        return plan

    def complaints(self, plan: Plan) -> list[str]:
        """What the verifier says of a plan, perhaps of another policy, under this one."""
        document = {**plan.to_document(), "policy_digest": self.policy.digest()}
        return verify_plan(self.network, [self.demand], self.stock, self.policy, document, states=self.states)


def limited(effect: str, nodes: Mapping[str, Any], **orders: Any) -> dict[str, Any]:
    return {"limits": [{"name": "mine", "effect": effect, "nodes": nodes, "orders": orders}]}


LATE = AT + timedelta(hours=30)

RULES: dict[str, tuple[str, Part]] = {
    "a node": ("mine", Part(limited("never", {"nodes": ["NEAR"]}))),
    "a kind of node": ("mine", Part(limited("only", {"kinds": ["dealer_store"]}), far={"kind": NodeKind.DEALER_STORE, "owner": "d"})),
    "a class": ("mine", Part(limited("never", {"classes": ["outlet"]}), near={"node_class": "outlet"})),
    "an owner": ("mine", Part(limited("never", {"owners": ["ann"]}), near={"owner": "ann"})),
    "a channel": ("mine", Part(limited("never", {"nodes": ["NEAR"]}, channels=["web"]), order={"channel": "web"})),
    "a method": ("mine", Part(limited("never", {"nodes": ["NEAR"]}, methods=["one_hour"]), order={"method": ONE_HOUR})),
    "a region from a country": (
        "mine",
        Part(limited("only", {"places": ["TW"]}, places=["TW/Taipei"]), near={"country": "JP"}, far={"country": "TW"}, order={"country": "TW", "region": "Taipei"}),
    ),
    "a node's own regions": ("outside_its_region", Part({}, near={"ships_to": ("TW/Taipei", "JP")}, order={"country": "TW", "region": "Tainan"})),
    "no known region": ("outside_its_region", Part({}, near={"ships_to": ("TW",)})),
    "a distance": ("mine", Part({"distance_limits": [{"name": "mine", "nodes": {"nodes": ["NEAR"]}, "within_m": 1_000}]}, near={"point": {"latitude": 40.05, "longitude": -90.0}})),
    "an unknown distance": ("distance_unknown", Part({"missing_data": {"place": "exclude"}}, near={"point": None, "kind": NodeKind.CENTRAL_WAREHOUSE}, prices={"unknown_distance_m": 0})),
    "an owner's consent": ("no_consent", Part({"owner_consent": True}, near={"owner": "ann", "consent": Consent(channels=("app",))}, order={"channel": "web"})),
    "a service": ("service_not_offered", Part({"services": {"express": {"nodes": {"nodes": ["FAR"]}}}}, order={"service": "express"})),
    "a service's radius": ("service_not_offered", Part({"services": {"express": {"within_m": 10}}}, near={"point": {"latitude": 40.05, "longitude": -90.0}, "kind": NodeKind.CENTRAL_WAREHOUSE}, far={"point": {"latitude": 40.0, "longitude": -90.0}}, order={"service": "express"})),
    "a courier": ("no_courier", Part({}, order={"method": ONE_HOUR}, states={"NEAR": NodeState(courier_free=False)})),
    "unknown hours": ("hours_unknown", Part({"missing_data": {"hours": "exclude"}}, far={"opening_hours": DAY}, order={"method": ONE_HOUR})),
    "a promise": ("misses_promise", Part({"promise": {"never_late": True}}, near={"lead_time_s": 40 * 3600}, order={"promised_by": LATE})),
    "a cut-off": ("misses_promise", Part({"promise": {"never_late": True}}, near={"cut_off_s": 9 * 3600}, far={"cut_off_s": 11 * 3600}, order={"promised_by": AT + timedelta(hours=5)})),
}  # fmt: skip
"""What a rule is about → its name, and a world where it keeps the nearer of two nodes out."""

KEEPERS: dict[str, tuple[str, Part]] = {
    "what an item needs": ("needs_capability", Part({}, far={"abilities": ("cold_chain",)}, items=(Item(sku="X", needs=("cold_chain",)),))),
    "some items": ("mine", Part({"item_limits": [{"name": "mine", "skus": ["X"], "nodes": {"nodes": ["FAR"]}, "effect": "only"}]})),
    "no such items": ("mine", Part({"item_limits": [{"name": "mine", "skus": ["X", "Y"], "nodes": {"nodes": ["NEAR"]}, "effect": "never"}]})),
    "a store's minimum": ("kept_back", Part({"keep_back": [{"units": 1}, {"units": 5, "nodes": {"nodes": ["NEAR"]}}]})),
    "last units": ("last_units", Part({"last_units": {"at_or_below": 5}}, stock=(("X", "NEAR", 5), ("X", "FAR", 6)))),
}  # fmt: skip
"""What a rule about items is about → its name, and a world where it keeps the nearer node's units back."""

TERMS: dict[str, tuple[str, int, Part]] = {
    "a class": ("mine", 70 + 2 * 3, Part({"surcharges": [{"name": "mine", "nodes": {"nodes": ["NEAR"]}, "shipment_minor": 70, "unit_minor": 3}]}, units=2)),
    "a channel": ("mine", 70, Part({"surcharges": [{"name": "mine", "orders": {"channels": ["web"]}, "shipment_minor": 70}]}, order={"channel": "web"})),
    "a band": ("distance_band", 30 + 2 * 4, Part({"distance_bands": [{"up_to_m": 0, "shipment_minor": 30, "unit_minor": 4}, {"up_to_m": None, "shipment_minor": 500}]}, units=2)),
    "priority": ("priority", 50, Part({"priority_step_minor": 5}, near={"priority": 110}, far={"priority": 100})),
    "a service": ("service", 80, Part({"services": {"express": {"shipment_minor": 80}}}, order={"service": "express"})),
    "a courier": ("courier", 90, Part({"courier": {"within_m": 2_000, "shipment_minor": 90}})),
    "last units": ("last_units", 2 * 7, Part({"last_units": {"at_or_below": 5, "unit_minor": 7}}, units=2)),
    "load": ("load", 67, Part({"balance_load": {"full_load_minor": 200, "above_permille": 400}}, states={"NEAR": NodeState(load_permille=600)})),
    "rejects": ("reliability", 13, Part({"reliability": {"resourcing_minor": 125}}, near={"reject_permille": 100})),
    "rejects of late": ("reliability", 25, Part({"reliability": {"resourcing_minor": 125}}, near={"reject_permille": 100}, states={"NEAR": NodeState(reject_permille=200)})),
    "unknown rejects": ("reliability", 1, Part({"reliability": {"resourcing_minor": 125, "unknown_permille": 4}})),
    "a promise": ("promise", 2 * 60, Part({"promise": {"late_day_minor": 60}}, near={"lead_time_s": 90_000}, far={"lead_time_s": 10**6}, order={"promised_by": AT})),
    "an unknown weight": ("distance", 5 + 2 * (1 + 22), Part({"kg_per_1000_km_minor": 1_000, "missing_data": {"weight_g": 2_000}}, near={"point": {"latitude": 40.1, "longitude": -90.0}}, far={"priority": 200}, units=2)),
    "a weight": ("handling", 225, Part({"weights": {"handling": 1_500}})),
}  # fmt: skip
"""What a term is about → its name, its share at the nearer node worked out by hand, and the world."""
