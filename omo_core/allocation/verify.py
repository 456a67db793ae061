"""The verifier: a plan document checked in plain Python against the raw network, demands, stock and policy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from omo_core.allocation.demand import OrderDemand
from omo_core.allocation.policy import SourcingPolicy
from omo_core.model.network import DeliveryMethod, Network, Node
from omo_core.model.values import GeoPoint

EARTH_RADIUS_M: Final = 6_371_008.8


def verify_plan(  # noqa: PLR0917 - the raw inputs of a plan, one by one
    network: Network,
    demands: Sequence[OrderDemand],
    stock: Iterable[tuple[str, str, int]],
    policy: SourcingPolicy,
    document: Mapping[str, Any],
    capacity: Mapping[str, int] | None = None,
) -> list[str]:
    """Recompute eligibility, stock, capacity and cost by term of `plan.to_document()`; sentences, empty when sound.

    Shares no code with the solvers and needs neither numpy nor numba. It knows the default rules and cost terms; a
    plan made with a host's own cannot be checked with it.
    """
    check = _Check(network, policy)
    for key, expected in (("currency", network.currency), ("policy_digest", policy.digest())):
        if document[key] != expected:
            check.found.append(f"the plan's {key} is {document[key]!r}, not {expected!r}")
    stated = [one["order"] for one in document["orders"]]
    if stated != [demand.order for demand in demands]:
        check.found.append("the plan's orders are not the orders asked for, in their order")
        return check.found
    for demand, one in zip(demands, document["orders"], strict=True):
        check.order(demand, one)
    check.stock({(sku, node): available for sku, node, available in stock})
    check.capacity(capacity or {})
    check.totals(document)
    return check.found


@dataclass
class _Check:
    network: Network
    policy: SourcingPolicy
    found: list[str] = field(default_factory=list)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    orders_at: Counter[str] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.nodes = {node.node: node for node in self.network.nodes}
        self.weights = {item.sku: item.weight_g for item in self.network.items}

    def order(self, demand: OrderDemand, one: Mapping[str, Any]) -> None:
        """Check one order: units, rules, limit of nodes, cost by term and its shares."""
        name = demand.order
        wanted = {(line.line, line.sku): line.quantity for line in demand.lines}
        units: Counter[tuple[str, str]] = Counter()
        for part in one["assignments"]:
            if part["quantity"] <= 0:
                self.found.append(f"order {name} assigns {part['quantity']} units of line {part['line']}")
            units[part["line"], part["sku"]] += part["quantity"]
            self.taken[part["sku"], part["node"]] += part["quantity"]
        for part in one["shortfalls"]:
            if part["missing"] <= 0:
                self.found.append(f"order {name} lacks {part['missing']} units of line {part['line']}")
            units[part["line"], part["sku"]] += part["missing"]
        if units != Counter(wanted):
            self.found.append(f"order {name}: served and missing units do not add up to what its lines want")
        used = list(dict.fromkeys(part["node"] for part in one["assignments"]))
        known = [node for node in used if node in self.nodes]
        self.found += [
            f"order {name} uses {node}, which the network does not have" for node in used if node not in known
        ]
        self.orders_at.update(known)
        for node in known:
            rule = self._forbidden(demand, self.nodes[node])
            if rule:
                self.found.append(f"order {name} uses {node}, which {rule}")
        if self.policy.max_nodes is not None and len(used) > self.policy.max_nodes:
            self.found.append(f"order {name} uses {len(used)} nodes; {self.policy.max_nodes} are allowed")
        if len(known) == len(used):
            self._cost(demand, one, known)

    def stock(self, available: Mapping[tuple[str, str], int]) -> None:
        """No cell gives more than it has."""
        for (sku, node), units in sorted(self.taken.items()):
            if units > available.get((sku, node), 0):
                self.found.append(f"{sku} at {node} is oversold by {units - available.get((sku, node), 0)} units")

    def capacity(self, capacity: Mapping[str, int]) -> None:
        """No node serves more orders than it can take."""
        for node, orders in sorted(self.orders_at.items()):
            if orders > capacity.get(node, orders):
                self.found.append(f"{node} serves {orders} orders but can take {capacity[node]}")

    def totals(self, document: Mapping[str, Any]) -> None:
        """The terms of the orders add up to those of the plan, and these to its cost; the bound is below."""
        stated = {name: amount for name, amount in document["cost_by_term"].items() if amount}
        if stated != {name: amount for name, amount in self.terms.items() if amount}:
            self.found.append(f"the plan's cost by term is {stated}, recomputed {dict(self.terms)}")
        if document["cost_minor"] != sum(self.terms.values()):
            self.found.append(f"the plan's cost is {document['cost_minor']}, recomputed {sum(self.terms.values())}")
        bound = document["lower_bound_minor"]
        if bound is not None and bound > document["cost_minor"]:
            self.found.append(f"the lower bound {bound} is above the cost {document['cost_minor']}")

    def _forbidden(self, demand: OrderDemand, node: Node) -> str | None:
        if node.node in demand.excluded_nodes:
            return "was excluded for this order"
        method = demand.method
        if method is DeliveryMethod.PICKUP:
            target = self.nodes.get(demand.pickup_node or "")
            if target is None or method not in target.methods:
                return "cannot help: the pickup node is not known or does not offer pickup"
            if node is target:
                return None
            if not self.policy.ship_to_store:
                return "may not send to the pickup node"
            method = DeliveryMethod.SHIP
        if method not in node.methods:
            return "does not offer this method"
        if method is DeliveryMethod.ONE_HOUR:
            metres = _metres(node.point, demand.point)
            if metres is None:
                return "is out of the one-hour service: its place or the buyer's is unknown"
            if metres > self.policy.one_hour_radius_m:
                return "is too far for one hour"
            if not node.is_open(demand.at):
                return "is closed at that time"
        return None

    def _cost(self, demand: OrderDemand, one: Mapping[str, Any], used: Sequence[str]) -> None:
        policy, terms = self.policy, Counter[str]()
        shares: Counter[str] = Counter()
        for name in used:
            node, metres = self.nodes[name], self._reckoned(demand, self.nodes[name])
            kind, here = policy.of_kind(node.kind), demand.pickup_node == name
            here = here and demand.method is DeliveryMethod.PICKUP
            if demand.method is DeliveryMethod.PICKUP:
                terms["pickup"] += policy.pickup_minor if here else policy.ship_to_store_minor
            if demand.method is DeliveryMethod.ONE_HOUR:
                terms["one_hour"] += policy.one_hour_minor
            elif not here:
                days = math.ceil(metres / policy.metres_per_day) - policy.free_days
                terms["lateness"] += max(days, 0) * policy.lateness_per_day_minor
            if not here:
                terms["shipping"] += kind.shipment_minor
                terms["distance"] += _rated(policy.shipment_per_1000_km_minor, metres)
            for part in one["assignments"]:
                if part["node"] == name:
                    gram_km = (self.weights.get(part["sku"], 0) * metres + 500) // 1000
                    unit = _rated(policy.unit_per_1000_km_minor, metres) + _rated(policy.kg_per_1000_km_minor, gram_km)
                    terms["distance"] += 0 if here else unit * part["quantity"]
                    terms["handling"] += kind.unit_minor * part["quantity"]
                    shares["assigned"] += part["cost_minor"]
        terms["split"] = max(len(used) - 1, 0) * policy.per_extra_node_minor
        terms["unserved"] = policy.unserved_minor * sum(part["missing"] for part in one["shortfalls"])
        self.terms.update(terms)
        stated = {name: amount for name, amount in one["cost_by_term"].items() if amount}
        recomputed = {name: amount for name, amount in terms.items() if amount}
        if stated != recomputed:
            self.found.append(f"order {demand.order}: the cost by term is {stated}, recomputed {recomputed}")
        if shares["assigned"] + terms["split"] + terms["unserved"] != one["cost_minor"]:
            self.found.append(f"order {demand.order}: its assignments' costs do not add up to {one['cost_minor']}")

    def _reckoned(self, demand: OrderDemand, node: Node) -> int:
        """The metres that count: those measured, or the policy's where a place is unknown, never less than any known."""
        target = demand.point
        if demand.method is DeliveryMethod.PICKUP and demand.pickup_node in self.nodes:
            target = self.nodes[demand.pickup_node].point
        metres = _metres(node.point, target)
        if metres is not None:
            return metres
        known = [_metres(other.point, target) for other in self.network.nodes]
        return max([self.policy.unknown_distance_m, *(one for one in known if one is not None)])


def _rated(rate_minor: int, metres: int) -> int:
    return (rate_minor * metres + 500_000) // 1_000_000


def _metres(a: GeoPoint | None, b: GeoPoint | None) -> int | None:
    if a is None or b is None:
        return None
    half_chord = min(1.0, 0.5 * math.dist(_on_sphere(a), _on_sphere(b)))
    return int(2.0 * EARTH_RADIUS_M * math.asin(half_chord) + 0.5)


def _on_sphere(point: GeoPoint) -> tuple[float, float, float]:
    latitude, longitude = math.radians(point.latitude), math.radians(point.longitude)
    level = math.cos(latitude)
    return level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude)
